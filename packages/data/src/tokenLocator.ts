import { byteCharacters } from './byteCharacters.ts';
import { sequenceParts, type Component, type TokenizerJson } from './tokenizerJson.ts';

/** Start and end of each token in a text, in bytes of UTF-8, or undefined where they do not add up to it. */
export type TokenLocator = (text: string, tokens: readonly (string | undefined)[]) => Uint32Array | undefined;

const SPACE = 0x20;
const encoder = new TextEncoder();

/**
 * Finds tokens in their text by what each is written as, with the offsets that Python's `tokenizers` gives: where it trims
 * them (`trim_offsets`), the spaces at both ends of a token are no part of it.
 */
export function tokenLocator({ pre_tokenizer, post_processor, decoder, added_tokens }: TokenizerJson): TokenLocator {
  const isByteLevel = [pre_tokenizer, decoder].some(part => partsOf(part).some(({ type }) => type === 'ByteLevel'));
  const added = new Set(added_tokens.map(({ content }) => content));
  const bytesOf = isByteLevel ? byteLevelBytes : plainBytes;
  const trims = partsOf(post_processor).some(part => part.type === 'ByteLevel' && part.trim_offsets !== false);
  return (text, tokens) => {
    const bytes = encoder.encode(text);
    const ranges = new Uint32Array(2 * tokens.length);
    let at = 0;
    for (const [i, token] of tokens.entries()) {
      if (token === undefined) return undefined;
      let own = added.has(token) ? encoder.encode(token) : bytesOf(token);
      // A tokenizer may put a space in front of the text; and some special tokens take the spaces beside them.
      if (!startsWith(bytes, own, at) && own[0] === SPACE && startsWith(bytes, own.subarray(1), at))
        own = own.subarray(1);
      while (!startsWith(bytes, own, at)) if (bytes[at++] !== SPACE) return undefined;
      const [start, end] = [at, at + own.length];
      at = end;
      ranges.set(trims ? trimmed(bytes, start, end) : [start, end], 2 * i);
    }
    while (bytes[at] === SPACE) at++;
    return at === bytes.length ? ranges : undefined;
  };
}

function partsOf(component: Component | null): readonly Component[] {
  if (component === null) return [];
  return component.type === 'Sequence' ? sequenceParts(component).flatMap(partsOf) : [component];
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

function startsWith(bytes: Uint8Array, own: Uint8Array, at: number): boolean {
  for (let i = 0; i < own.length; i++) if (bytes[at + i] !== own[i]) return false;
  return true;
}

function trimmed(bytes: Uint8Array, start: number, end: number): [number, number] {
  let [from, to] = [start, end];
  while (from < end && bytes[from] === SPACE) from++;
  while (to > from && bytes[to - 1] === SPACE) to--;
  return [from, to];
}
