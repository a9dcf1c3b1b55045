import { checkNumber, checkOptions, checkValue, ranges } from '@dropbp/basics';
import { checkFolderPath } from './checkFolderPath.ts';

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
}

/** The options with their defaults. */
export type CheckpointPlan = Required<CheckpointOptions>;

/** @throws Problem on options that are unknown, missing or out of range */
export function settleCheckpoints(options: CheckpointOptions): CheckpointPlan {
  checkOptions('train', 'checkpoints', options, ['directory', 'every', 'keep', 'resume']);
  const { directory, every, keep = 2, resume = false } = options;
  checkFolderPath('checkpoints.directory', directory);
  checkNumber('train', 'checkpoints.every', every, ranges.count);
  checkNumber('train', 'checkpoints.keep', keep, ranges.count);
  checkValue<unknown>('train', 'checkpoints.resume', resume, value => typeof value === 'boolean', 'true or false');
  return { directory, every, keep, resume };
}
