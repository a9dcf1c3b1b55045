import { problem } from '@dropbp/basics';

// ignoreBOM keeps a byte order mark in the text, where the JSON parser refuses it as the reference does.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Decodes UTF-8 and refuses what is not.
 *
 * @param subject - whose bytes they are, for the message
 * @throws Problem if a byte sequence is not UTF-8
 */
export function decodeUtf8(bytes: Uint8Array, subject: string): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw problem('safetensors', {
      what: `${subject} is not valid UTF-8`,
      fix: 'the file is damaged: fetch or write it again',
      cause,
    });
  }
}
