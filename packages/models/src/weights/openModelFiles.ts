import { checkValue, nodeModule } from '@dropbp/basics';
import { findModelFolder } from './findModelFolder.ts';
import { ggufFiles } from '../gguf/ggufFiles.ts';
import type { HubOptions } from '@dropbp/hub';
import { blobFiles, blobsByName, folderFiles, type BlobSource, type ModelFiles } from './modelFiles.ts';

/** What a model is loaded from: a path or hub id (Node), its files, or one GGUF file. */
export type ModelSource = string | BlobSource | Blob;

const gguf = /\.gguf$/i;

/**
 * Finds the files of a model.
 *
 * @throws Problem if there are none, or a GGUF file cannot be read
 */
export async function openModelFiles(source: ModelSource, hub: HubOptions): Promise<ModelFiles> {
  if (typeof source === 'string') {
    if (gguf.test(source) || (await isFile(source))) return ggufFiles(source);
    return folderFiles(await findModelFolder(source, hub));
  }
  const isFiles = (given: unknown): boolean => typeof given === 'object' && given !== null && Symbol.iterator in given;
  if (source instanceof Blob) return ggufFiles(source);
  checkValue('models', 'loadModel(): the source', source, isFiles, 'a path, a hub id, or files');
  const blobs = blobsByName(source);
  const [[name, blob] = ['', undefined], ...others] = blobs;
  return blob !== undefined && others.length === 0 && gguf.test(name) ? ggufFiles(blob) : blobFiles(blobs);
}

async function isFile(path: string): Promise<boolean> {
  return nodeModule('models', 'node:fs/promises')
    .stat(path)
    .then(
      stat => stat.isFile(),
      () => false,
    );
}
