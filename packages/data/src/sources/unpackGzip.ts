import { problem } from '@dropbp/basics';

/** A compressed file is held in memory, so it may not unpack to more than this: 1 GiB. */
const MAX_BYTES = 2 ** 30;

/** Whether bytes are those of a gzip file, by its first two. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Unpacks a gzip file into memory.
 *
 * @param name - the file's, for messages
 * @throws Problem if it is damaged, or unpacks to more than `maxBytes`
 */
export async function unpackGzip(packed: Uint8Array, name: string, maxBytes: number = MAX_BYTES): Promise<Uint8Array> {
  // Copied, as a Blob takes no bytes that may be shared.
  const unpacking = new Blob([new Uint8Array(packed)]).stream().pipeThrough(new DecompressionStream('gzip'));
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const part of unpacking) {
      size += part.length;
      if (size > maxBytes) break;
      parts.push(part);
    }
  } catch (cause) {
    throw problem('data', { what: `${name} is a damaged gzip file`, cause });
  }
  if (size > maxBytes) {
    throw problem('data', {
      what: `${name} is too large to be unpacked into memory`,
      expected: `at most ${maxBytes} bytes`,
      fix: 'unpack the file first',
    });
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
