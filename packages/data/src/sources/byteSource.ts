import { checkIsFile, nodeModule, problem } from '@dropbp/basics';
import { readProblem } from '../text/readProblem.ts';
import { isGzip, unpackGzip } from './unpackGzip.ts';

/** Bytes that are read in pieces: a file, a Blob, or memory. */
export interface ByteSource {
  /** For messages: the path, or the name of a `File`. */
  readonly name: string;
  /** In bytes; unpacked, where the file is compressed. */
  readonly size: number;
  /** Starts reading. The caller closes the reader. */
  open(): Promise<ByteReader>;
}

/** Reads a {@link ByteSource}. */
export interface ByteReader {
  /** Exactly the bytes from `start` to before `end`. */
  read(start: number, end: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/**
 * A file or Blob as bytes. One that is compressed with gzip is recognised by its first bytes and unpacked into memory, as
 * nothing can be found in the middle of it.
 *
 * @throws Problem if there is no such file, or it is a damaged gzip file
 */
export async function byteSource(data: string | Blob): Promise<ByteSource> {
  const source = typeof data === 'string' ? await fileSource(data) : blobSource(data);
  const start = await withReader(source, reader => reader.read(0, Math.min(2, source.size)));
  if (!isGzip(start)) return source;
  const packed = await withReader(source, reader => reader.read(0, source.size));
  return memorySource(source.name, await unpackGzip(packed, source.name));
}

/** Opens a source, hands its reader over and closes it. */
export async function withReader<T>(source: ByteSource, use: (reader: ByteReader) => Promise<T>): Promise<T> {
  const reader = await source.open();
  try {
    return await use(reader);
  } finally {
    await reader.close();
  }
}

async function fileSource(path: string): Promise<ByteSource> {
  const fs = nodeModule('data', 'node:fs/promises');
  const found = await fs.stat(path).catch((cause: unknown) => {
    throw readProblem(path, cause);
  });
  checkIsFile('data', path, found, found.isDirectory() ? 'name the files in the folder' : undefined);
  return {
    name: path,
    size: found.size,
    async open() {
      const handle = await fs.open(path).catch((cause: unknown) => {
        throw readProblem(path, cause);
      });
      const now = await handle.stat();
      if (now.size !== found.size || now.mtimeMs !== found.mtimeMs) {
        await handle.close();
        throw problem('data', {
          what: `${path} changed after it was opened`,
          fix: 'leave data alone while it is trained on',
        });
      }
      return {
        async read(start, end) {
          const bytes = new Uint8Array(end - start);
          for (let at = 0; at < bytes.length;) {
            const { bytesRead } = await handle.read(bytes, at, bytes.length - at, start + at);
            if (bytesRead === 0) throw problem('data', { what: `${path} ended early`, got: `${start + at} bytes` });
            at += bytesRead;
          }
          return bytes;
        },
        close: () => handle.close(),
      };
    },
  };
}

function blobSource(blob: Blob): ByteSource {
  const name = 'name' in blob && typeof blob.name === 'string' ? blob.name : 'the Blob';
  const reader: ByteReader = {
    read: async (start, end) => new Uint8Array(await blob.slice(start, end).arrayBuffer()),
    close: () => Promise.resolve(),
  };
  return { name, size: blob.size, open: () => Promise.resolve(reader) };
}

function memorySource(name: string, bytes: Uint8Array): ByteSource {
  const reader: ByteReader = {
    read: (start, end) => Promise.resolve(bytes.subarray(start, end)),
    close: () => Promise.resolve(),
  };
  return { name, size: bytes.length, open: () => Promise.resolve(reader) };
}
