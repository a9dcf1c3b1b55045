import { checkNumber, checkOptions, makeFolder, nodeModule, writeAtomically } from '@dropbp/basics';
import { encodeCheckpointIndex, indexFile } from '../read/checkpointIndex.ts';
import { encodeHeader } from '../header/encodeHeader.ts';
import { toMap, type EncodeOptions, type Tensors } from './encodeSafetensors.ts';
import { singleFile } from '../read/openCheckpoint.ts';
import { writeSafetensors, type TensorToWrite } from './writeSafetensors.ts';

/** How a checkpoint is divided. */
export interface SaveCheckpointOptions extends EncodeOptions {
  /** The header's `__metadata__` in each file. @defaultValue `{ format: 'pt' }`, without which transformers refuses a file */
  metadata?: Readonly<Record<string, string>>;
  /** How many bytes of tensors a file holds at most; a larger tensor has a file to itself. @defaultValue 5e9, as `huggingface_hub` */
  maxShardBytes?: number;
}

/**
 * Writes a checkpoint into a directory, which is made if need be: `model.safetensors` if it fits one file, else
 * `model-00001-of-0000K.safetensors` … filled in the tensors' order, and `model.safetensors.index.json`.
 * Each file is written as by {@link writeSafetensors}, the index last; then the files of an older checkpoint are removed.
 * A crash in between leaves a readable checkpoint, the old or the new, unless both have the same number of shards.
 *
 * @returns the names of the files written
 * @throws Problem for what `writeSafetensors()` refuses
 */
export async function saveCheckpoint(
  directory: string,
  tensors: Tensors<TensorToWrite>,
  options: SaveCheckpointOptions = {},
): Promise<string[]> {
  checkOptions('safetensors', 'saveCheckpoint()', options, ['metadata', 'maxShardBytes']);
  const { metadata = { format: 'pt' }, maxShardBytes = 5e9 } = options;
  const size = { accepts: (bytes: number) => bytes > 0, expected: 'a number of bytes > 0' };
  checkNumber('safetensors', 'maxShardBytes', maxShardBytes, size);
  const byName = toMap(tensors);
  const { tensors: sizes } = encodeHeader(byName, metadata);
  const shards = divide(byName, name => sizes.get(name)!.sizeBytes, maxShardBytes);

  const fs = nodeModule('safetensors', 'node:fs/promises');
  const paths = nodeModule('safetensors', 'node:path');
  await makeFolder('safetensors', directory);
  const written: string[] = [];
  const weightMap = new Map<string, string>();
  for (const [i, shard] of shards.entries()) {
    const file = shards.length === 1 ? singleFile : `model-${ordinal(i + 1)}-of-${ordinal(shards.length)}.safetensors`;
    await writeSafetensors(paths.join(directory, file), shard, { metadata });
    written.push(file);
    for (const name of shard.keys()) weightMap.set(name, file);
  }
  if (shards.length > 1) {
    const totalBytes = [...sizes.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const text = encodeCheckpointIndex(weightMap, totalBytes);
    await writeAtomically('safetensors', paths.join(directory, indexFile), text);
    written.push(indexFile);
  }

  for (const file of await fs.readdir(directory)) {
    const isOurs = file === singleFile || file === indexFile || /^model-\d{5}-of-\d{5}\.safetensors$/.test(file);
    if (isOurs && !written.includes(file)) await fs.rm(paths.join(directory, file));
  }
  return written;
}

/**
 * Fills one shard after the other, in order; a tensor above the limit has a shard to itself and does not end the one
 * being filled. Source: `huggingface_hub`, splitting of state dicts.
 */
function divide<T>(
  tensors: ReadonlyMap<string, T>,
  sizeOf: (name: string) => number,
  maxBytes: number,
): ReadonlyMap<string, T>[] {
  const shards: ReadonlyMap<string, T>[] = [];
  let current = new Map<string, T>();
  let filled = 0;
  for (const [name, tensor] of tensors) {
    const sizeBytes = sizeOf(name);
    if (sizeBytes > maxBytes) {
      shards.push(new Map([[name, tensor]]));
      continue;
    }
    if (filled + sizeBytes > maxBytes) {
      shards.push(current);
      current = new Map();
      filled = 0;
    }
    current.set(name, tensor);
    filled += sizeBytes;
  }
  if (current.size > 0 || shards.length === 0) shards.push(current);
  return shards;
}

function ordinal(i: number): string {
  return String(i).padStart(5, '0');
}
