/** What a block of Snappy unpacks to, as its first bytes say. Source: Snappy's format_description.txt. */
export function snappySize(bytes: Uint8Array): number {
  let size = 0;
  for (let i = 0; i < 5; i++) {
    const byte = bytes[i] ?? 0;
    size += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) break;
  }
  return size;
}

/** What a block of LZ4 unpacks to: the lengths of its literals and copies together. Source: lz4_Block_format.md. */
export function lz4Size(bytes: Uint8Array): number {
  let [size, at] = [0, 0];
  const lengthOf = (nibble: number): number => {
    let length = nibble;
    if (nibble < 15) return length;
    for (let byte = 255; byte === 255 && at < bytes.length;) length += byte = bytes[at++]!;
    return length;
  };
  while (at < bytes.length) {
    const token = bytes[at++]!;
    const literals = lengthOf(token >> 4);
    size += literals;
    at += literals;
    if (at >= bytes.length) break;
    at += 2; // where the copy is from
    size += 4 + lengthOf(token & 15);
  }
  return size;
}
