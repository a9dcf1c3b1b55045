import { gunzipSync, gzipSync } from 'node:zlib';
import { decodeText, encodeText, mutateTokens, type Mutate } from './draw.ts';
import { mutateJsonText } from './json.ts';

/** Safetensors: a header that is valid JSON and has the length that is said, before data that may be longer or shorter. */
export const mutateSafetensors: Mutate = (input, draw) => {
  const headerLength = Number(new DataView(input.buffer, input.byteOffset).getBigUint64(0, true));
  const header = decodeText(input.subarray(8, 8 + headerLength));
  const values = ['"F32"', '"BF16"', '"F64"', '"I64"', '"BOOL"', '"U8"', '"F8_E4M3"', '[0,4]', '[0,0]', '[4,0]', '[1099511627776]', '[-1]', '[1.5]', '[2,3]']; // prettier-ignore
  const keys = ['dtype', 'shape', 'data_offsets', '__metadata__', 'a.weight', 'extra'];
  const text = draw.chance(0.9) ? mutateJsonText(header, draw, { keys, values }) : header;
  const padded = encodeText(text + ' '.repeat(draw.chance(0.8) ? (8 - (encodeText(text).length % 8)) % 8 : 0));
  const size = new Uint8Array(8);
  const said = draw.chance(0.04) ? draw.pick([0n, 1n, 2n ** 32n, 2n ** 63n, BigInt(padded.length - 1)]) : BigInt(padded.length); // prettier-ignore
  new DataView(size.buffer).setBigUint64(0, said, true);
  const data = input.subarray(8 + headerLength);
  const kept = draw.chance(0.1) ? data.subarray(0, draw.below(data.length)) : data;
  const values32 = new Uint8Array(kept);
  // Some numbers are not finite.
  if (draw.chance(0.15) && kept.length >= 4) values32.set([0, 0, draw.pick([0xc0, 0x80]), 0x7f], draw.below(kept.length >> 2) * 4); // prettier-ignore
  return new Uint8Array(Buffer.concat([size, padded, values32, new Uint8Array(draw.chance(0.05) ? 3 : 0)]));
};

const cell = /"(?:[^"]|"")*"|[^,;\t\r\n"]+|\r\n|[^]/g;
const cells = ['"', '""', ',', ';', '\t', '\n', '\r\n', '\r', '"a,b"', '"a\nb"', 'prompt', 'completion', 'text', 'messages', '\ufeff', '\0', '\u001b[31m', '__proto__', '1', ' ', 'é', ',,,,,,', 'x'.repeat(500), '"[{""role"":""user"",""content"":""a""}]"']; // prettier-ignore

/** CSV: cells and separators moved, doubled, quoted, left out. */
export const mutateCsv: Mutate = (input, draw) => {
  if (draw.chance(0.03)) return wideCsv(draw.pick([50, 3_000]), draw.chance(0.5));
  return encodeText(mutateTokens(decodeText(input), cell, cells, draw));
};

function wideCsv(columns: number, areEqual: boolean): Uint8Array {
  const names = Array.from({ length: columns }, (_, i) => (areEqual ? 'text' : `text${i}`)).join(',');
  return encodeText(`${names}\n${'a,'.repeat(columns - 1)}b\n`);
}

const yamlToken = /\w+|"[^"]*"|\r?\n *|[^]/g;
const yamlPieces = ['&a ', '*a', '<<: *a', '- ', '\n  ', '\t', '---\n', '!!js/function x', '!!binary a', '|', '>', '? ', ': ', 'null', 'true', '.inf', '.nan', '0x10', '1_000', '1e3', '[', ']', '{', '}', '"', '#', 'rank: 4\n', 'rank: -1\n', 'data: []\n', 'model: {}\n', '__proto__: 1\n', 'epochs: 1e9\n', 'targetModules: /(a+)+$/\n', '\u001b[31m', '2026-01-01', 'config: x\n', 'resume: true\n']; // prettier-ignore

/** A configuration file: YAML by its tokens, JSON as a tree. */
export const mutateConfig: Mutate = (input, draw) => {
  const text = decodeText(input);
  if (text.startsWith('{') && draw.chance(0.8)) return encodeText(mutateJsonText(text, draw));
  return encodeText(mutateTokens(text, yamlToken, yamlPieces, draw));
};

/** Plain text: words, white space and characters that are rare. */
export const mutateText: Mutate = (input, draw) =>
  encodeText(mutateTokens(decodeText(input), /\w+|\s+|[^]/gu, ['\n', '\ufeff', '\0', '\ud83d', '\u2028', '\u0085', '\u0301'.repeat(200), 'a'.repeat(20_000), ' '.repeat(20_000), '\n'.repeat(3_000), '<|end|>'], draw)); // prettier-ignore

/** What is compressed is changed, and compressed again; rarely it unpacks to a great deal more. */
export function mutateGzip(inner: Mutate): Mutate {
  return (input, draw) => {
    const plain = inner(gunzipSync(input), draw);
    if (draw.chance(0.01)) return gzipSync(Buffer.concat([plain, new Uint8Array(16 * 2 ** 20).fill(draw.pick([10, 32, 97]))])); // prettier-ignore
    const packed = gzipSync(plain);
    return draw.chance(0.1) ? Buffer.concat([packed, gzipSync(plain)]) : packed;
  };
}
