import { nodeModule, problem, removeFolder, syncDirectory } from '@dropbp/basics';
import { listCheckpoints } from './checkpointFolders.ts';
import { stateFile } from './checkpointState.ts';
import { optimizerFile, parametersFile } from './checkpointTensors.ts';

const ownFiles: readonly string[] = [parametersFile, optimizerFile, stateFile];

/**
 * The first thing in a checkpoint's folder that `train` has not put there; undefined where all is its own. A folder without a
 * state is no checkpoint: `''`.
 */
export async function foreignEntry(folder: string): Promise<string | undefined> {
  const entries = await nodeModule('train', 'node:fs/promises').readdir(folder, { withFileTypes: true });
  const foreign = entries.find(entry => !entry.isFile() || !ownFiles.includes(entry.name));
  if (foreign !== undefined) return foreign.name;
  return entries.length === 0 || entries.some(({ name }) => name === stateFile) ? undefined : '';
}

/** Removes a checkpoint, if all in it is its own. @throws Problem naming what is not */
export async function removeCheckpoint(folder: string): Promise<void> {
  const foreign = await foreignEntry(folder);
  if (foreign === undefined) return removeFolder('train', folder);
  const path = nodeModule('train', 'node:path').join(folder, foreign);
  throw problem('train', {
    what: `${folder} is an old checkpoint, and is not removed, as it is not known who wrote ${foreign === '' ? 'it' : path}`,
    fix: 'move that to another place',
  });
}

/** Renames the checkpoints of later steps, so that those to come are the newest. Nothing of them is lost. */
export async function setAside(directory: string, step: number): Promise<void> {
  const fs = nodeModule('train', 'node:fs/promises');
  const paths = nodeModule('train', 'node:path');
  const later = (await listCheckpoints(directory)).filter(checkpoint => checkpoint.step > step);
  for (const { path } of later) {
    let target = paths.join(directory, `aside-${paths.basename(path)}`);
    for (let n = 2; await exists(target); n++) target = paths.join(directory, `aside-${paths.basename(path)}-${n}`);
    await fs.rename(path, target);
  }
  if (later.length > 0) await syncDirectory('train', directory);
}

async function exists(path: string): Promise<boolean> {
  const fs = nodeModule('train', 'node:fs/promises');
  return fs.lstat(path).then(
    () => true,
    () => false,
  );
}
