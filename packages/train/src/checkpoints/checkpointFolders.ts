import { errorCode, nodeModule, problem } from '@dropbp/basics';
import { checkFolderPath } from './checkFolderPath.ts';

/** A checkpoint on the disk. */
export interface CheckpointFolder {
  /** Steps done when it was written. */
  readonly step: number;
  /** Path of the folder. */
  readonly path: string;
}

/** `'step-000100'`. */
export function checkpointName(step: number): string {
  return `step-${String(step).padStart(6, '0')}`;
}

/** Whether a name is one of a checkpoint's folder. */
export function isCheckpointName(name: string): boolean {
  return /^step-\d{6,}$/.test(name);
}

/**
 * The checkpoints in a directory, oldest first: none where there is no such directory. Each is complete: they appear whole
 * or not at all.
 *
 * @throws Problem if the directory cannot be read
 */
export async function listCheckpoints(directory: string): Promise<CheckpointFolder[]> {
  checkFolderPath('listCheckpoints(): directory', directory);
  const path = nodeModule('train', 'node:path');
  let names: string[];
  try {
    names = await nodeModule('train', 'node:fs/promises').readdir(directory);
  } catch (cause) {
    const code = errorCode(cause);
    if (code === 'ENOENT') return [];
    throw problem('train', {
      what: `the checkpoints in ${directory} cannot be listed`,
      got: code ?? 'an error',
      ...(code === 'ENOTDIR' && { fix: 'it is a file: give the directory that holds them' }),
      cause,
      isFailure: code !== 'ENOTDIR' && code !== 'EACCES',
    });
  }
  return names
    .filter(isCheckpointName)
    .map(name => ({ step: Number(name.slice('step-'.length)), path: path.join(directory, name) }))
    .sort((a, b) => a.step - b.step);
}
