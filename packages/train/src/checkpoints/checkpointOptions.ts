import { checkNumber, checkOptions, checkValue, isObject, ranges } from '@dropbp/basics';
import { isFunction } from '../options/hasMethods.ts';
import { checkFolderPath } from './checkFolderPath.ts';
import type { RunIdentity } from './runIdentity.ts';

/** Where and how often {@link train} keeps what it needs to go on. */
export interface CheckpointOptions {
  /** Holds them, a folder each: `step-000100`. Made where it is missing. */
  readonly directory: string;
  /** Steps from one to the next. The last step always has one, and so has each that lowers the best held-out loss. */
  readonly every: number;
  /** So many of the newest are kept, and the one of the best held-out loss. @defaultValue 2 */
  readonly keep?: number;
  /** Goes on from the newest, or begins where there is none. @defaultValue false: the directory must hold none */
  readonly resume?: boolean;
  /** Goes on from the checkpoint of this step. Later ones are set aside: renamed to `aside-step-…`. @defaultValue the newest */
  readonly fromStep?: number;
  /**
   * What the run is of, by name: checksums of model and data, options that `train` does not see. It is kept in each checkpoint
   * beside what `train` knows (`learningRate`, `schedule`, `seed`, …). A run that goes on must have the same.
   *
   * @defaultValue what `train` knows alone
   */
  readonly identity?: RunIdentity;
  /**
   * Names of what may differ from the checkpoint's. With `'data'` the batches begin anew; with `'checksums'` a checkpoint of an
   * earlier version is taken, which has none. @defaultValue none
   */
  readonly acceptChanges?: readonly string[];
  /**
   * Is waited for when all of a checkpoint is written, before it takes its name, and before anything is removed. What it throws
   * ends the run, with nothing changed. @defaultValue nothing is asked
   */
  readonly guard?: () => void | Promise<void>;
}

/** The options with their defaults. */
export interface CheckpointPlan extends Required<Omit<CheckpointOptions, 'fromStep'>> {
  readonly fromStep: number | undefined;
}

/** @throws Problem on options that are unknown, missing or out of range */
export function readCheckpointOptions(options: CheckpointOptions): CheckpointPlan {
  checkOptions('train', 'checkpoints', options, [
    ...['directory', 'every', 'keep', 'resume', 'fromStep', 'identity', 'acceptChanges', 'guard'],
  ]);
  const { directory, every, keep = 2, resume = false, fromStep } = options;
  const { identity = {}, acceptChanges = [], guard = () => undefined } = options;
  checkFolderPath('checkpoints.directory', directory);
  checkNumber('train', 'checkpoints.every', every, ranges.count);
  checkNumber('train', 'checkpoints.keep', keep, ranges.count);
  checkValue<unknown>('train', 'checkpoints.resume', resume, value => typeof value === 'boolean', 'true or false');
  if (fromStep !== undefined) {
    checkNumber('train', 'checkpoints.fromStep', fromStep, ranges.count);
    checkValue('train', 'checkpoints.fromStep', fromStep, () => resume, 'resume: true beside it');
  }
  checkValue<unknown>('train', 'checkpoints.identity', identity, isObject, 'an object of names and JSON values');
  checkValue<unknown>('train', 'checkpoints.acceptChanges', acceptChanges, areNames, 'a list of names');
  checkValue<unknown>('train', 'checkpoints.guard', guard, isFunction, 'a function');
  return { directory, every, keep, resume, fromStep, identity, acceptChanges, guard };
}

function areNames(value: unknown): boolean {
  return Array.isArray(value) && value.every(name => typeof name === 'string');
}
