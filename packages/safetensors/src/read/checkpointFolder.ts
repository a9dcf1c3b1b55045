import { errorCode, nodeModule, problem } from '@dropbp/basics';
import { blobSource, type ByteSource } from './byteSource.ts';
import { fileSource } from './fileSource.ts';

/** Where a checkpoint's files are. */
export interface CheckpointFolder {
  /** For messages. */
  readonly name: string;
  /** The names of its files. */
  readonly files: readonly string[];
  open(file: string): Promise<ByteSource>;
}

/**
 * A directory as a folder.
 *
 * @throws Problem if there is no such directory
 */
export async function directoryFolder(directory: string): Promise<CheckpointFolder> {
  const paths = nodeModule('safetensors', 'node:path');
  try {
    const files = await nodeModule('safetensors', 'node:fs/promises').readdir(directory);
    return { name: directory, files, open: file => fileSource(paths.join(directory, file)) };
  } catch (cause) {
    const isFile = errorCode(cause) === 'ENOTDIR';
    throw problem('safetensors', {
      what: isFile ? `${directory} is not a directory` : `${directory} cannot be read`,
      ...(isFile && { fix: 'openSafetensors() takes a file' }),
      cause,
    });
  }
}

/** Blobs by name, or a list of Files as a browser's file picker gives it, as a folder. */
export function blobFolder(blobs: ReadonlyMap<string, Blob> | Iterable<File>): CheckpointFolder {
  const byName: ReadonlyMap<string, Blob> =
    blobs instanceof Map
      ? (blobs as ReadonlyMap<string, Blob>)
      : new Map([...(blobs as Iterable<File>)].map(file => [file.name, file]));
  return {
    name: 'the files',
    files: [...byName.keys()],
    open: file => {
      const blob = byName.get(file);
      if (blob === undefined) return Promise.reject(problem('safetensors', { what: `there is no file ${file}` }));
      return Promise.resolve(blobSource(blob, file));
    },
  };
}
