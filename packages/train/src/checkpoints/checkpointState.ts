import { checkNumber, checkOptions, isObject, nodeModule, problem, ranges, readTextIfThere } from '@dropbp/basics';
import type { OptimizerState } from '../optimizer.ts';
import type { Course } from './course.ts';

/** What `state.json` of a checkpoint holds. The tensors lie beside it. */
export interface CheckpointState extends Course {
  readonly format: 1;
  readonly options: CheckpointedOptions;
  readonly optimizer: OptimizerState['values'];
  /** Of the drop schedule; null without DropBP. */
  readonly dropBP: unknown;
}

/** Options that a run has to go on with, since they say which micro-batch is which and what is drawn for it. */
export interface CheckpointedOptions {
  readonly accumulation: number;
  readonly seed: number;
}

export const stateFile = 'state.json';

/** Reads `state.json` of a checkpoint. @throws Problem if it is missing, or does not hold what it should */
export async function readCheckpointState(folder: string): Promise<CheckpointState> {
  const path = nodeModule('train', 'node:path').join(folder, stateFile);
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
  if (!isObject(value) || value.format !== 1) {
    throw wrong(isObject(value) ? value.format : value, 'an object of format 1');
  }
  const keys = ['format', 'step', 'position', 'best', 'evaluationsSinceBest', 'options', 'optimizer', 'dropBP'];
  checkOptions('train', path, value, keys);
  const missing = keys.find(key => !(key in value));
  if (missing !== undefined) throw wrong(value, `an object with '${missing}'`);
  const { step, evaluationsSinceBest, options, optimizer, best } = value;
  checkNumber('train', `${path}: step`, step, ranges.count);
  checkNumber('train', `${path}: evaluationsSinceBest`, evaluationsSinceBest, ranges.index);
  if (!isObject(options)) throw wrong(options, 'options');
  checkNumber('train', `${path}: options.accumulation`, options.accumulation, ranges.count);
  checkNumber('train', `${path}: options.seed`, options.seed, ranges.integer);
  if (!isObject(optimizer) || typeof optimizer.optimizer !== 'string' || !isObject(optimizer.steps)) {
    throw wrong(optimizer, 'an optimizer with the steps of its parameters');
  }
  for (const [name, steps] of Object.entries(optimizer.steps)) {
    checkNumber('train', `${path}: steps of '${name}'`, steps, ranges.index);
  }
  if (best !== null && !(isObject(best) && Number.isFinite(best.loss) && Number.isSafeInteger(best.step))) {
    throw wrong(best, 'the best step and its loss, or null');
  }
  return value as unknown as CheckpointState;
}
