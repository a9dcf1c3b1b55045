import { problem } from '@dropbp/basics';
import { quote } from '../header/quote.ts';

/** Bytes that can be read in part: a file, a Blob, an array. */
export interface ByteSource {
  /** For messages. */
  readonly name: string;
  /** How many bytes there are. */
  readonly sizeBytes: number;
  /** Reads the bytes of a range that lies inside the source, into memory that the caller owns. */
  read(begin: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Lets go of the file. A second call does nothing. */
  close(): Promise<void>;
}

/** An array in memory as a source; reading copies. */
export function bytesSource(bytes: Uint8Array, name = 'the bytes'): ByteSource {
  return {
    name,
    sizeBytes: bytes.byteLength,
    read: (begin, end) => Promise.resolve(new Uint8Array(bytes.subarray(begin, end))),
    close: () => Promise.resolve(),
  };
}

/** A Blob, or a File with its name, as a source; only the ranges that are asked for are read. */
export function blobSource(blob: Blob, name: string = blob instanceof File ? blob.name : 'the Blob'): ByteSource {
  return {
    name,
    sizeBytes: blob.size,
    async read(begin, end) {
      try {
        return new Uint8Array(await blob.slice(begin, end).arrayBuffer());
      } catch (cause) {
        throw problem('safetensors', { what: `${name} can no longer be read`, fix: 'choose the file again', cause });
      }
    },
    close: () => Promise.resolve(),
  };
}

/**
 * Zeroed memory for `sizeBytes` bytes of a source.
 *
 * @throws Problem if the engine has no array of that size
 */
export function allocate(sizeBytes: number, name: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(sizeBytes);
  } catch (cause) {
    throw problem('safetensors', {
      what: `${quote(name)} does not fit in one array`,
      got: sizeBytes,
      expected: 'a size that this JavaScript engine can allocate',
      cause,
    });
  }
}
