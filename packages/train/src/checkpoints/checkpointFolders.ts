import { errorCode, nodeModule } from '@dropbp/basics';

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
 */
export async function listCheckpoints(directory: string): Promise<CheckpointFolder[]> {
  const path = nodeModule('train', 'node:path');
  let names: string[];
  try {
    names = await nodeModule('train', 'node:fs/promises').readdir(directory);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    return [];
  }
  return names
    .filter(isCheckpointName)
    .map(name => ({ step: Number(name.slice('step-'.length)), path: path.join(directory, name) }))
    .sort((a, b) => a.step - b.step);
}
