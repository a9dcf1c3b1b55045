import { checkOptions, writeAtomically } from '@dropbp/basics';
import { checkData } from './checkData.ts';
import type { TensorData } from '../read/decodeSafetensors.ts';
import { encodeHeader } from '../header/encodeHeader.ts';
import { toMap, type EncodeOptions, type Tensors } from './encodeSafetensors.ts';

/** A tensor to write. `data` may be a function that brings the bytes when their turn comes, so that few are in memory at once. */
export interface TensorToWrite extends Omit<TensorData, 'data'> {
  /** The elements, little-endian, in row-major order; or a function that gives them when they are written. */
  readonly data: Uint8Array | (() => Uint8Array | Promise<Uint8Array>);
}

/** Options of {@link writeSafetensors}. */
export interface WriteSafetensorsOptions extends EncodeOptions {
  /** Hears of all bytes of the file in their order, as they are written: for a checksum. */
  readonly onBytes?: (bytes: Uint8Array) => void;
}

/**
 * Writes tensors to a file: the same bytes as `encodeSafetensors()`, without holding them in memory a second time.
 * At no moment is there a file with half the content at `path`, also not after a crash; what was there stays until the
 * new file is complete.
 *
 * @param path - in a directory that exists (Node only)
 * @throws Problem for what `encodeSafetensors()` refuses, or if the file cannot be written; `path` is then untouched
 */
export async function writeSafetensors(
  path: string,
  tensors: Tensors<TensorToWrite>,
  options: WriteSafetensorsOptions = {},
): Promise<void> {
  checkOptions('safetensors', 'writeSafetensors()', options, ['metadata', 'onBytes']);
  const { onBytes } = options;
  const byName = toMap(tensors);
  const header = encodeHeader(byName, options.metadata);
  for (const [name, { sizeBytes }] of header.tensors) {
    const { data } = byName.get(name)!;
    if (typeof data !== 'function') checkData(data, sizeBytes, name);
  }
  await writeAtomically('safetensors', path, async write => {
    const append = (bytes: Uint8Array): Promise<void> => {
      onBytes?.(bytes);
      return write(bytes);
    };
    await append(header.bytes);
    for (const [name, { sizeBytes }] of header.tensors) {
      const { data } = byName.get(name)!;
      await append(checkData(typeof data === 'function' ? await data() : data, sizeBytes, name));
    }
  });
}
