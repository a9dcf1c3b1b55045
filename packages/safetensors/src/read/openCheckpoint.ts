import { problem } from '@dropbp/basics';
import { blobFolder, directoryFolder, type CheckpointFolder } from './checkpointFolder.ts';
import { indexFile, readCheckpointIndex } from './checkpointIndex.ts';
import { findTensor } from './findTensor.ts';
import { openSource, type SafetensorsFile } from './openSafetensors.ts';
import type { TensorInfo } from '../header/parseHeader.ts';
import { quote } from '../header/quote.ts';

/** The name of a checkpoint that is one file. */
export const singleFile = 'model.safetensors';

/** A tensor of a checkpoint. */
export interface CheckpointTensor extends TensorInfo {
  /** The name of the file it lies in. */
  readonly file: string;
}

/** A checkpoint of one or several files, read as if it were one file. `metadata` is that of the first file. */
export interface Checkpoint extends SafetensorsFile {
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
}

/**
 * Opens the checkpoint in a directory and reads the headers of its files: `model.safetensors`, or else those that
 * `model.safetensors.index.json` names. Both present, the single file counts, as in transformers.
 *
 * @param source - a directory (Node), or its files: Blobs by name, or Files as a browser's picker gives them
 * @throws Problem if there is no checkpoint, the index and the files disagree, or a file is not valid
 */
export async function openCheckpoint(source: string | ReadonlyMap<string, Blob> | Iterable<File>): Promise<Checkpoint> {
  if (typeof source !== 'string' && !isIterable(source)) {
    throw problem('safetensors', {
      what: 'openCheckpoint() cannot open this',
      got: source,
      expected: 'a directory, Blobs by name, or a list of Files',
      fix: 'openSafetensors() takes one file',
    });
  }
  const folder = typeof source === 'string' ? await directoryFolder(source) : blobFolder(source);
  const present = new Set(folder.files);
  if (present.has(singleFile)) return openFiles(folder, [singleFile]);
  if (!folder.files.includes(indexFile)) throw noCheckpoint(folder);

  const index = await folder.open(indexFile);
  const weightMap = await readCheckpointIndex(index).finally(() => index.close());
  for (const [tensor, file] of weightMap) {
    if (present.has(file)) continue;
    throw problem('safetensors', {
      what: `${folder.name} lacks ${file}, which holds tensor ${quote(tensor)}`,
      fix: 'fetch the missing file',
    });
  }
  return openFiles(folder, [...new Set(weightMap.values())].sort(), weightMap);
}

function isIterable(source: unknown): boolean {
  return typeof source === 'object' && source !== null && Symbol.iterator in source;
}

async function openFiles(
  folder: CheckpointFolder,
  names: readonly string[],
  weightMap?: ReadonlyMap<string, string>,
): Promise<Checkpoint> {
  const files = new Map<string, SafetensorsFile>();
  const close = async (): Promise<void> => {
    await Promise.all([...files.values()].map(file => file.close()));
  };
  try {
    for (const name of names) files.set(name, await openSource(await folder.open(name)));
    const tensors = joinTensors(files);
    const ofFiles = [...files.values()].flatMap(file => file.notices);
    const ofIndex = weightMap === undefined ? [] : compareWithIndex(weightMap, tensors, folder.name);
    const notices = [...ofFiles, ...ofIndex];
    return {
      name: folder.name,
      tensors,
      metadata: files.get(names[0] ?? '')?.metadata ?? {},
      notices,
      async read(name, rows) {
        return files.get(findTensor(tensors, name, folder.name).file)!.read(name, rows);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function joinTensors(files: ReadonlyMap<string, SafetensorsFile>): Map<string, CheckpointTensor> {
  const tensors = new Map<string, CheckpointTensor>();
  for (const [file, { tensors: inFile }] of files) {
    for (const [name, info] of inFile) {
      const other = tensors.get(name)?.file;
      if (other !== undefined) {
        throw problem('safetensors', {
          what: `tensor ${quote(name)} is in two files of the checkpoint`,
          got: [other, file],
          fix: 'remove the files of an older checkpoint and write it again',
        });
      }
      tensors.set(name, { ...info, file });
    }
  }
  return tensors;
}

function compareWithIndex(
  weightMap: ReadonlyMap<string, string>,
  tensors: ReadonlyMap<string, CheckpointTensor>,
  folder: string,
): string[] {
  for (const [name, file] of weightMap) {
    const found = tensors.get(name)?.file;
    if (found === file) continue;
    throw problem('safetensors', {
      what: `${folder}: tensor ${quote(name)} is not in the file that the index names`,
      got: found ?? null,
      expected: file,
    });
  }
  return [...tensors]
    .filter(([name]) => !weightMap.has(name))
    .map(([name, { file }]) => `${folder}: tensor ${quote(name)} of ${file} is not in the index`);
}

function noCheckpoint({ name, files }: CheckpointFolder): Error {
  const weights = files.filter(file => /\.(safetensors|bin|gguf|pth?)$/.test(file));
  return problem('safetensors', {
    what: `${name} holds no checkpoint`,
    got: weights,
    expected: `${singleFile} or ${indexFile}`,
    ...(weights.some(file => file.endsWith('.bin')) && {
      fix: 'convert pickles with Python: save_pretrained() writes safetensors',
    }),
  });
}
