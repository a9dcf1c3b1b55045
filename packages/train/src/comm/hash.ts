/** Takes words of 32 bits, one after the other. Not cryptographic: it finds accidents. */
function hashWords(words: Uint8Array | Uint32Array, start: number = 0): number {
  let hash = start;
  for (const word of words) {
    hash = Math.imul(hash ^ word, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return hash >>> 0;
}

export function hashText(text: string, start: number = 0): number {
  return hashWords(new TextEncoder().encode(text), start);
}

/** Of the bits of values, so that no difference is too small. */
export function hashValues(values: Float32Array, start: number = 0): number {
  return hashWords(new Uint32Array(values.buffer, values.byteOffset, values.length), start);
}
