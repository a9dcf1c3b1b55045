import { problem } from '@dropbp/basics';

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A string of V8 holds no more characters than this: 512 MiB of text. */
export const MAX_TEXT_BYTES = 2 ** 29 - 24;

/** Text of bytes, or undefined where they are no UTF-8. */
export function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * How many bytes at the start of a file are a byte order mark and no text.
 *
 * @param name - the file's, for messages
 * @throws Problem if the mark is that of UTF-16
 */
export function byteOrderMark(start: Uint8Array, name: string): 0 | 3 {
  const [a, b, c] = start;
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) {
    throw problem('data', { what: `${name} is UTF-16`, expected: 'UTF-8', fix: 'save it as UTF-8' });
  }
  return a === 0xef && b === 0xbb && c === 0xbf ? 3 : 0;
}
