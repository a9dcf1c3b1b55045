import { problem } from '@dropbp/basics';
import { blobSource, bytesSource, type ByteSource } from './byteSource.ts';
import { fileSource } from './fileSource.ts';
import { findTensor } from './findTensor.ts';
import type { TensorInfo } from '../header/parseHeader.ts';
import { readHeader } from '../header/readHeader.ts';

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
   * @throws Problem if the file has no such tensor (with the nearest names), is closed, or has become shorter
   */
  read(name: string): Promise<Uint8Array<ArrayBuffer>>;
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
      async read(tensorName) {
        const { offsetBytes, sizeBytes } = findTensor(tensors, tensorName, name);
        if (closing !== undefined)
          throw problem('safetensors', { what: `${name} is closed`, fix: 'read before close()' });
        return source.read(offsetBytes, offsetBytes + sizeBytes);
      },
      close: () => (closing ??= source.close()),
    };
  } catch (error) {
    await source.close();
    throw error;
  }
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
