import {
  checkNumber,
  checkOptions,
  isObject,
  nodeModule,
  problem,
  ranges,
  readTextIfThere,
  writeAtomically,
  type Digest,
} from '@dropbp/basics';
import type { OptimizerState } from '../optimizers/optimizer.ts';
import type { Course } from './course.ts';
import type { RunIdentity } from './runIdentity.ts';

/** What `state.json` of a checkpoint holds. The tensors lie beside it. */
export interface CheckpointState extends Course {
  /** 1 in checkpoints of before there were checksums: they have no `identity` and no `files`. */
  readonly format: 1 | 2;
  /** What the run is of. */
  readonly identity: RunIdentity;
  /** Steps that the run was to take. */
  readonly plannedSteps: number;
  readonly optimizer: OptimizerState['values'];
  /** Of the drop schedule; null without DropBP. */
  readonly dropBP: unknown;
  /** The files beside it, by name. */
  readonly files: Readonly<Record<string, Digest>>;
  /** True where its parameters led to a loss or gradients that are not finite. */
  readonly isSpoiled?: boolean;
}

export const stateFile = 'state.json';

const keys = ['format', 'step', 'position', 'best', 'evaluationsSinceBest', 'optimizer', 'dropBP'];
const newKeys = ['identity', 'plannedSteps', 'files', 'checksum'];

/** Writes `state.json` with a checksum of its own. */
export async function writeCheckpointState(folder: string, state: CheckpointState): Promise<void> {
  const text = JSON.stringify({ ...state, checksum: checksumOf(state) }, undefined, 1);
  await writeAtomically('train', statePath(folder), `${text}\n`);
}

/**
 * Reads `state.json` of a checkpoint.
 *
 * @param takesOld - whether a checkpoint without checksums is taken
 * @throws Problem if it is missing, does not hold what it should, or was changed after it was written
 */
export async function readCheckpointState(folder: string, takesOld: boolean): Promise<CheckpointState> {
  const path = statePath(folder);
  const wrong = (got: unknown, expected: string, cause?: unknown): Error =>
    problem('train', { what: `${path} is no state of a run`, got, expected, ...(cause !== undefined && { cause }) });
  const text = await readTextIfThere('train', path);
  if (text === undefined) throw problem('train', { what: `${folder} is no checkpoint: ${stateFile} cannot be read` });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw wrong(text.slice(0, 40), 'JSON', cause);
  }
  if (!isObject(value) || (value.format !== 1 && value.format !== 2)) {
    throw wrong(isObject(value) ? value.format : value, 'an object of format 2');
  }
  if (nestsDeeper(value, DEEPEST)) throw wrong('objects in one another', `at most ${DEEPEST} of them`);
  const isOld = value.format === 1;
  const wanted = isOld ? [...keys, 'options'] : [...keys, ...newKeys];
  checkOptions('train', path, value, [...wanted, ...(isOld ? [] : ['isSpoiled'])]);
  const missing = wanted.find(key => !(key in value));
  if (missing !== undefined) throw wrong(value, `an object with '${missing}'`);
  checkCourse(path, value, wrong);
  if (isOld) return oldState(folder, value, takesOld, wrong);
  const { checksum, ...state } = value;
  const { files, identity } = state;
  if (!isObject(identity)) throw wrong(identity, 'what the run is of, in identity');
  checkNumber('train', `${path}: plannedSteps`, state.plannedSteps, ranges.count);
  if (!isObject(files) || !Object.values(files).every(isDigest)) throw wrong(files, 'a checksum for each file');
  if (checksum !== checksumOf(state)) {
    throw problem('train', {
      what: `${path} was changed or damaged after it was written`,
      got: checksum,
      expected: `the checksum ${checksumOf(state)} of what it holds`,
    });
  }
  return state as unknown as CheckpointState;
}

type Wrong = (got: unknown, expected: string) => Error;

function checkCourse(path: string, value: Record<string, unknown>, wrong: Wrong): void {
  const { step, evaluationsSinceBest, optimizer, best } = value;
  checkNumber('train', `${path}: step`, step, ranges.count);
  const upToStep = {
    accepts: (count: number): boolean => ranges.index.accepts(count) && count <= step,
    expected: `an integer from 0 to ${String(step)}, the steps done`,
  };
  checkNumber('train', `${path}: evaluationsSinceBest`, evaluationsSinceBest, upToStep);
  if (!isObject(optimizer) || typeof optimizer.optimizer !== 'string' || !isObject(optimizer.steps)) {
    throw wrong(optimizer, 'an optimizer with the steps of its parameters');
  }
  for (const [name, steps] of Object.entries(optimizer.steps)) {
    checkNumber('train', `${path}: steps of '${name}'`, steps, upToStep);
  }
  if (best !== null && !(isObject(best) && Number.isFinite(best.loss) && upToStep.accepts(best.step as number))) {
    throw wrong(best, 'the best step and its loss, or null');
  }
}

function oldState(folder: string, value: Record<string, unknown>, takesOld: boolean, wrong: Wrong): CheckpointState {
  const { options, ...state } = value;
  if (!isObject(options)) throw wrong(options, 'options');
  if (!takesOld) {
    throw problem('train', {
      what: `the checkpoint ${folder} has no checksums: it was written by an earlier version, and nothing tells whether its files are whole`,
      fix: "go on from it on purpose by acceptChanges: ['checksums'], or begin a new run in another directory",
    });
  }
  const { accumulation, seed } = options;
  checkNumber('train', `${folder}: options.accumulation`, accumulation, ranges.count);
  checkNumber('train', `${folder}: options.seed`, seed, ranges.integer);
  const { step } = state;
  return { ...state, plannedSteps: step, identity: { accumulation, seed }, files: {} } as unknown as CheckpointState;
}

function isDigest(value: unknown): boolean {
  return isObject(value) && ranges.index.accepts(value.bytes as number) && /^[0-9a-f]{64}$/.test(String(value.sha256));
}

/** Writing an object as JSON takes a call for each level, and a file may hold any number of levels. */
const DEEPEST = 100;

function nestsDeeper(value: unknown, most: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return most === 0 || Object.values(value).some(inner => nestsDeeper(inner, most - 1));
}

/** SHA-256 of all that a state holds, as JSON without white space. */
function checksumOf(state: object): string {
  return nodeModule('train', 'node:crypto').createHash('sha256').update(JSON.stringify(state)).digest('hex');
}

function statePath(folder: string): string {
  return nodeModule('train', 'node:path').join(folder, stateFile);
}
