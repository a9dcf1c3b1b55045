import { problem } from '@dropbp/basics';
import type { ByteSource } from '../read/byteSource.ts';
import { parseHeader, type Header } from './parseHeader.ts';

/** How long a header may be, in bytes. Source: the reference implementation. */
export const maxHeaderBytes = 100_000_000;

/** Other things that lie in files called `.safetensors`, by how they begin. */
const strangers: readonly { start: string; fix: string }[] = [
  { start: 'version ', fix: "this is a Git LFS pointer, not the file: run 'git lfs pull'" },
  { start: 'PK\x03\x04', fix: 'this is a zip archive, as PyTorch pickles are: convert it with Python' },
  { start: 'GGUF', fix: 'this is a GGUF file: loadModel() of @dropbp/models reads it' },
  { start: '<', fix: 'this looks like a web page: the download went wrong' },
  { start: '{', fix: 'this looks like JSON' },
];

/**
 * Reads the header and nothing else. Every length is checked against the source's size before memory is taken for it.
 *
 * @throws Problem if the source is not a complete safetensors file
 */
export async function readHeader(source: ByteSource): Promise<Header> {
  const start = await source.read(0, Math.min(8, source.sizeBytes));
  const headerBytes = headerLength(start, source.sizeBytes, source.name);
  const json = await source.read(8, 8 + headerBytes);
  return parseHeader(json, source.sizeBytes - 8 - headerBytes, source.name);
}

/**
 * The length of a file's header, from the file's first bytes.
 *
 * @param start - the first 8 bytes, fewer if the file is shorter
 * @param fileBytes - the size of the whole file
 * @throws Problem if there can be no such header
 */
export function headerLength(start: Uint8Array, fileBytes: number, subject: string): number {
  if (start.length < 8) {
    throw problem('safetensors', {
      what: `${subject} is too short`,
      got: fileBytes,
      expected: '8 bytes or more',
    });
  }
  const length = new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(maxHeaderBytes)) {
    const text = String.fromCharCode(...start.subarray(0, 8));
    const stranger = strangers.find(known => text.startsWith(known.start));
    throw problem('safetensors', {
      what: `${subject} is not a safetensors file: the header's length is out of range`,
      got: length,
      expected: `at most ${maxHeaderBytes}`,
      ...(stranger && { fix: stranger.fix }),
    });
  }
  if (8 + Number(length) > fileBytes) {
    throw problem('safetensors', {
      what: `${subject} ends inside its header`,
      got: fileBytes,
      expected: `${8 + Number(length)} bytes or more`,
      fix: 'the file is cut short: fetch or write it again',
    });
  }
  return Number(length);
}
