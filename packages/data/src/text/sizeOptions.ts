import { checkNumber, problem, ranges } from '@dropbp/basics';

/** How many sequences a batch holds: `batchSize` must be given. */
export interface BatchSizeOption {
  /** Sequences in a batch. */
  readonly batchSize?: number;
  /** Until 1.0 another name of `batchSize`. */
  readonly batch?: number;
}

/** How many tokens a sequence holds: `seqLen` must be given. */
export interface SeqLenOption {
  /** Tokens in a sequence; of rows, at most. No more than the model has positions. */
  readonly seqLen?: number;
  /** Until 1.0 another name of `seqLen`. */
  readonly time?: number;
}

/** Names of {@link BatchSizeOption}. */
export const batchSizeNames = ['batchSize', 'batch'] as const;
/** Names of {@link SeqLenOption}. */
export const seqLenNames = ['seqLen', 'time'] as const;

/** @throws Problem if it is missing, given under both names, or below 1 */
export function readBatchSize(options: BatchSizeOption): number {
  return readSize(batchSizeNames, options);
}

/** @param least - the smallest length that is usable. @throws Problem if it is missing, given under both names, or too small */
export function readSeqLen(options: SeqLenOption, least: 1 | 2 = 1): number {
  return readSize(seqLenNames, options, least);
}

function readSize(
  [name, alias]: typeof batchSizeNames | typeof seqLenNames,
  options: BatchSizeOption & SeqLenOption,
  least: 1 | 2 = 1,
): number {
  const [value, other] = [options[name], options[alias]];
  if (value !== undefined && other !== undefined) {
    throw problem('data', { what: `${name} and ${alias} are two names of one option`, fix: `give ${name} alone` });
  }
  const range = { accepts: (v: number) => Number.isSafeInteger(v) && v >= 2, expected: 'an integer ≥ 2' };
  const size = value ?? other;
  checkNumber('data', other === undefined ? name : alias, size, least === 1 ? ranges.count : range);
  return size;
}
