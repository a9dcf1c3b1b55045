import { problem } from '@dropbp/basics';
import { blobSource, bytesSource, type ByteSource } from './byteSource.ts';
import { fileSource } from './fileSource.ts';
import { findTensor } from './findTensor.ts';
import type { TensorInfo } from '../header/parseHeader.ts';
import { quote } from '../header/quote.ts';
import { readHeader } from '../header/readHeader.ts';

/** A part of a tensor's first axis: from a row, up to and without another. */
export type Rows = readonly [from: number, to: number];

/** A file whose header has been read; a tensor's bytes are read when they are asked for. */
export interface SafetensorsFile {
  /** The path, the File's name, or what it is: for messages. */
  readonly name: string;
  /** In the header's order. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** The header's `__metadata__`; empty where the file has none. */
  readonly metadata: Readonly<Record<string, string>>;
  /** What was accepted although it is odd, a sentence each. */
  readonly notices: readonly string[];
  /**
   * Reads one tensor's bytes: row-major, little-endian, aligned for every dtype. The caller owns them.
   *
   * @param rows - a part of its first axis. @defaultValue all of it
   * @throws Problem if the file lacks the tensor (with the nearest names) or the rows, is closed, or has become shorter
   */
  read(name: string, rows?: Rows): Promise<Uint8Array<ArrayBuffer>>;
  /** Lets go of the file. A second call does nothing. */
  close(): Promise<void>;
}

/**
 * Opens a file and reads its header. Files of any size work: no more is read than what is asked for.
 *
 * @param source - a path (Node), a Blob or File (browsers too), or the file's bytes
 * @throws Problem if it cannot be read, or is not a complete, valid safetensors file
 *
 * @example
 * ```ts
 * const file = await openSafetensors('model.safetensors');
 * const weight = await file.read('lm_head.weight');
 * await file.close();
 * ```
 */
export async function openSafetensors(source: string | Blob | Uint8Array): Promise<SafetensorsFile> {
  return openSource(await toSource(source));
}

/** As {@link openSafetensors}, for a source that is already there. The file owns the source, also when this throws. */
export async function openSource(source: ByteSource): Promise<SafetensorsFile> {
  const { name } = source;
  let closing: Promise<void> | undefined;
  try {
    const { tensors, metadata, notices } = await readHeader(source);
    return {
      name,
      tensors,
      metadata,
      notices,
      async read(tensorName, rows) {
        const [begin, end] = bytesOfRows(findTensor(tensors, tensorName, name), tensorName, rows);
        if (closing !== undefined)
          throw problem('safetensors', { what: `${name} is closed`, fix: 'read before close()' });
        return source.read(begin, end);
      },
      close: () => (closing ??= source.close()),
    };
  } catch (error) {
    await source.close();
    throw error;
  }
}

function bytesOfRows(
  { shape, offsetBytes, sizeBytes }: TensorInfo,
  name: string,
  rows: Rows | undefined,
): readonly [begin: number, end: number] {
  if (rows === undefined) return [offsetBytes, offsetBytes + sizeBytes];
  const [from, to] = rows;
  const count = shape[0] ?? 0;
  const rowBytes = sizeBytes / count;
  if (Number.isInteger(from) && Number.isInteger(to) && from >= 0 && from < to && to <= count && rowBytes % 1 === 0) {
    return [offsetBytes + from * rowBytes, offsetBytes + to * rowBytes];
  }
  throw problem('safetensors', {
    what: `tensor ${quote(name)} of shape [${shape.join(', ')}] does not hold these rows`,
    got: rows,
    expected: `[from, to] with 0 ≤ from < to ≤ ${count}, in whole bytes`,
  });
}

function toSource(source: unknown): Promise<ByteSource> | ByteSource {
  if (typeof source === 'string') return fileSource(source);
  if (source instanceof Blob) return blobSource(source);
  if (source instanceof Uint8Array) return bytesSource(source);
  throw problem('safetensors', {
    what: 'openSafetensors() cannot open this',
    got: source,
    expected: 'a path, a Blob or a Uint8Array',
  });
}
