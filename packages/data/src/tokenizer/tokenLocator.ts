import { byteCharacters } from './python/byteCharacters.ts';
import { leavesOf, type TokenizerJson } from './component.ts';

/** Start and end of each token in a text, in bytes of UTF-8, or undefined where they do not add up to it. */
export type TokenLocator = (text: string, tokens: readonly (string | undefined)[]) => Uint32Array | undefined;

const SPACE = 0x20;
const encoder = new TextEncoder();

/**
 * Finds tokens in their text by what each is written as, with the offsets that Python's `tokenizers` gives: where it trims
 * them (`trim_offsets`), the spaces at both ends of a token are no part of it.
 */
export function tokenLocator(json: TokenizerJson): TokenLocator {
  const { pre_tokenizer, post_processor, decoder, added_tokens } = json;
  const isByteLevel = [pre_tokenizer, decoder].some(part => leavesOf(part).some(({ type }) => type === 'ByteLevel'));
  const added = new Set(added_tokens.map(({ content }) => content));
  const encodeToken = isByteLevel ? byteLevelBytes : plainBytes;
  const dropped = isByteLevel ? droppedBytes(json) : new Set<number>();
  const isSkipped = (byte: number | undefined): boolean => byte === SPACE || dropped.has(byte!);
  const trims = leavesOf(post_processor).some(
    part => ['ByteLevel', 'RobertaProcessing'].includes(part.type) && part.trim_offsets !== false,
  );
  return (text, tokens) => {
    const bytes = encoder.encode(text);
    const ranges = new Uint32Array(2 * tokens.length);
    let at = 0;
    for (const [i, token] of tokens.entries()) {
      if (token === undefined) return undefined;
      let own = added.has(token) ? encoder.encode(token) : encodeToken(token);
      // A tokenizer may put a space in front of a text and behind special tokens; and some of those take the spaces beside them.
      let end = endOf(own, bytes, at, dropped);
      if (end < 0 && own[0] === SPACE) {
        own = own.subarray(1);
        end = endOf(own, bytes, at, dropped);
      }
      for (; end < 0; end = endOf(own, bytes, at, dropped)) if (!isSkipped(bytes[at++])) return undefined;
      const start = at;
      at = end;
      ranges.set(trims ? trimmed(bytes, start, end) : [start, end], 2 * i);
    }
    while (isSkipped(bytes[at])) at++;
    return at === bytes.length ? ranges : undefined;
  };
}

/** The bytes for which the model has no token, and which it leaves out. */
function droppedBytes({ model }: TokenizerJson): Set<number> {
  if (typeof model.unk_token === 'string') return new Set();
  return new Set(byteCharacters.flatMap((character, byte) => (Object.hasOwn(model.vocab, character) ? [] : [byte])));
}

const byteOf = new Map(byteCharacters.map((character, byte) => [character, byte]));

function byteLevelBytes(token: string): Uint8Array {
  const own = Array.from(token, character => byteOf.get(character));
  return own.includes(undefined) ? encoder.encode(token) : Uint8Array.from(own as number[]);
}

function plainBytes(token: string): Uint8Array {
  const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token);
  return byte === null ? encoder.encode(token.replaceAll('▁', ' ')) : Uint8Array.of(Number.parseInt(byte[1]!, 16));
}

/** Where a token ends that begins at a byte, or -1 where it does not. What was left out may lie within it. */
function endOf(own: Uint8Array, bytes: Uint8Array, start: number, dropped: ReadonlySet<number>): number {
  let at = start;
  for (const [i, byte] of own.entries()) {
    while (i > 0 && bytes[at] !== byte && dropped.has(bytes[at]!)) at++;
    if (bytes[at++] !== byte) return -1;
  }
  return at;
}

function trimmed(bytes: Uint8Array, start: number, end: number): [number, number] {
  let [from, to] = [start, end];
  while (from < end && bytes[from] === SPACE) from++;
  while (to > from && bytes[to - 1] === SPACE) to--;
  return [from, to];
}
