import { fileDigest, nodeModule, problem, Problem } from '@dropbp/basics';
import { checkpointName, listCheckpoints, type CheckpointFolder } from './checkpointFolders.ts';
import { readCheckpointState, stateFile, type CheckpointState } from './checkpointState.ts';
import type { RunIdentity } from './runIdentity.ts';

/** Which checkpoint a run goes on from. */
export interface FindOptions {
  /** The step of the one that is wanted. @defaultValue the newest, but for one that led to a loss that is not finite */
  readonly fromStep?: number | undefined;
  /** Whether one of an earlier version is taken, which has no checksums. @defaultValue false */
  readonly takesOld?: boolean;
  /** Whether all bytes are read and compared with their checksums. @defaultValue false: sizes are */
  readonly isThorough?: boolean;
}

/** A checkpoint that was looked at. */
export interface FoundCheckpoint extends CheckpointFolder {
  /** What its run was of, as `checkpoints.identity` of `train` said, and what `train` itself knows. */
  readonly identity: RunIdentity;
  /** Steps that the run was to take. */
  readonly plannedSteps: number;
  /** Evaluations since the lowest held-out loss. */
  readonly evaluationsSinceBest: number;
}

interface Found extends CheckpointFolder {
  readonly state: CheckpointState;
}

/**
 * Finds the checkpoint that a run goes on from, and makes sure that it is whole: the files of its step, as they were written.
 *
 * @returns undefined where there is none
 * @throws Problem where it is damaged, which names an older one that is whole
 */
export async function findCheckpoint(
  directory: string,
  options: FindOptions = {},
): Promise<FoundCheckpoint | undefined> {
  const found = await findState(directory, options);
  if (found === undefined) return undefined;
  const { step, path, state } = found;
  const { identity, plannedSteps, evaluationsSinceBest } = state;
  return { step, path, identity, plannedSteps, evaluationsSinceBest };
}

/** The same, with its state. */
export async function findState(directory: string, options: FindOptions): Promise<Found | undefined> {
  const { fromStep, takesOld = false, isThorough = false } = options;
  const all = await listCheckpoints(directory);
  if (fromStep !== undefined && !all.some(({ step }) => step === fromStep)) {
    throw problem('train', {
      what: `there is no checkpoint ${checkpointName(fromStep)} in ${directory}`,
      expected: all.length === 0 ? 'one to go on from' : `one of step ${all.map(({ step }) => step).join(', ')}`,
    });
  }
  const newestFirst = all.filter(({ step }) => step === (fromStep ?? step)).reverse();
  for (const [i, folder] of newestFirst.entries()) {
    try {
      const state = await readChecked(folder, { takesOld, isThorough });
      if (state.isSpoiled !== true || fromStep !== undefined) return { ...folder, state };
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      const older = await newestWhole(newestFirst.slice(i + 1), takesOld);
      if (older === undefined) throw error;
      const offer = `the checkpoint of step ${older.step} is whole: go on from it by fromStep: ${older.step}`;
      throw new Problem('train', `${error.message.replace(/\.$/, '')}; ${offer}.`, error, error.isFailure);
    }
  }
  return undefined;
}

async function newestWhole(
  folders: readonly CheckpointFolder[],
  takesOld: boolean,
): Promise<CheckpointFolder | undefined> {
  for (const folder of folders) {
    const state = await readChecked(folder, { takesOld, isThorough: true }).catch(() => undefined);
    if (state !== undefined && state.isSpoiled !== true) return folder;
  }
  return undefined;
}

async function readChecked(
  { step, path }: CheckpointFolder,
  { takesOld, isThorough }: Required<Pick<FindOptions, 'takesOld' | 'isThorough'>>,
): Promise<CheckpointState> {
  const state = await readCheckpointState(path, takesOld);
  if (state.step !== step) {
    throw problem('train', {
      what: `the checkpoint ${path} is of step ${state.step}: the folder was renamed, or its files are those of another step`,
      expected: checkpointName(state.step),
    });
  }
  for (const name of Object.keys(state.files)) await checkFile(path, state, name, isThorough);
  return state;
}

/**
 * Makes sure that a file of a checkpoint is what was written. One of an earlier version, without checksums, passes.
 *
 * @throws Problem if it is missing, cut, changed, or of another step
 */
export async function checkFile(
  folder: string,
  { files }: Pick<CheckpointState, 'files'>,
  name: string,
  isThorough: boolean,
): Promise<void> {
  const wanted = files[name];
  if (wanted === undefined) return;
  const path = nodeModule('train', 'node:path').join(folder, name);
  const damaged = (what: string, got: unknown, expected: string, cause?: unknown): Error =>
    problem('train', {
      what: `the checkpoint ${folder} is damaged: ${name} ${what}`,
      got,
      expected,
      ...(cause !== undefined && { cause }),
    });
  const info = await nodeModule('train', 'node:fs/promises')
    .stat(path)
    .catch((cause: unknown) => {
      throw damaged('cannot be read', cause instanceof Error ? cause.message : cause, `${wanted.bytes} bytes`, cause);
    });
  if (info.size !== wanted.bytes) {
    throw damaged('was cut or replaced', `${info.size} bytes`, `${wanted.bytes} bytes, as ${stateFile} says`);
  }
  if (!isThorough) return;
  const { sha256 } = await fileDigest('train', path);
  if (sha256 !== wanted.sha256) {
    throw damaged(
      'was changed after it was written, or is of another step',
      `SHA-256 ${sha256}`,
      `${wanted.sha256}, as ${stateFile} says`,
    );
  }
}
