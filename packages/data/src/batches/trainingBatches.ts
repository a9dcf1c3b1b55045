import { checkNumber, checkOptions, checkValue, problem, ranges } from '@dropbp/basics';
import type { BatchIterator, ResumableBatches } from '@dropbp/core';
import type { Arrangement } from './plan/arrange.ts';
import { batchSizeNames, readBatchSize, type BatchSizeOption } from '../text/sizeOptions.ts';
import { batchPlans, type BatchPlan, type BatchSettings } from './plan/batchPlans.ts';
import { checkedPosition, startPosition, type DataPosition } from './plan/dataPosition.ts';
import { addedReports, emptyReport, type DataReport } from './plan/dataReport.ts';
import { makeBatch } from './makeBatch.ts';
import type { TokenizedRows } from './tokenizeRows.ts';

/** Options of {@link trainingBatches}. */
export interface TrainingBatchesOptions extends BatchSizeOption {
  /**
   * What stands in a row: one sequence, in batches of those that are about as long (`'byLength'`) or in the order of the data
   * (`'inOrder'`); or as many as fit, each with positions of its own and blind to the others (`'packed'`).
   *
   * @defaultValue `'byLength'`
   */
  readonly arrangement?: Arrangement;
  /** Whether rows come in random order, another one in each epoch. @defaultValue true */
  readonly shuffle?: boolean;
  /** Orders the rows; the same seed gives the same batches. @defaultValue 0 */
  readonly seed?: number;
  /** How many times the data are gone through. @defaultValue without end */
  readonly epochs?: number;
  /** Of rows that come one at a time: how many sequences are held to be shuffled among each other. @defaultValue 1024 */
  readonly shuffleBuffer?: number;
}

/** Batches to train on. Each iteration begins anew and gives the same batches. */
export interface TrainingBatches extends ResumableBatches {
  /** Begins to give batches; the iterator knows where it is. */
  [Symbol.asyncIterator](): TrainingIterator;
  /** The batches from a position on. @throws Problem for one that is none, or of other data or options */
  from(position: unknown): TrainingBatches;
  /** What the latest iteration has read and given out so far. */
  report(): DataReport;
}

/** An iteration over batches that knows where it is. */
export interface TrainingIterator extends BatchIterator {
  /** The place behind the batch that was given out last: what {@link TrainingBatches.from} takes. */
  readonly position: DataPosition;
}

/**
 * Batches of tokenized rows, made when they are asked for. All are full but the very last one, so a batch may hold rows of
 * two epochs. Every batch is filled up to one of few lengths, so that an engine compiles seldom.
 *
 * The consumer owns each batch and disposes its tensors; `train` and `evaluateLoss` do, and `train` keeps the position in its
 * checkpoints.
 *
 * @throws Problem for options that are not usable; while iterating: for a row that cannot be used, or where no row gives a
 * token that counts
 *
 * @example
 * ```ts
 * const batches = trainingBatches(rows, { batchSize: 4, seed: 1, arrangement: 'packed' });
 * for await (const { step, loss } of train(tuned, batches, { steps: 100 })) console.log(step, loss);
 * ```
 */
export function trainingBatches(rows: TokenizedRows, options: TrainingBatchesOptions): TrainingBatches {
  const settled = readOptions(rows, options);
  return batchesFrom(rows, settled, startPosition(rows, settled));
}

function batchesFrom(rows: TokenizedRows, settled: BatchSettings, start: DataPosition): TrainingBatches {
  let latest: Pick<BatchPlan, 'report'> = { report: reportAt(start) };
  return {
    [Symbol.asyncIterator]() {
      const plans = batchPlans(rows, settled, start);
      let at: Pick<BatchPlan, 'position' | 'report'> = { position: start, report: reportAt(start) };
      latest = at;
      return {
        get position() {
          return at.position;
        },
        async next() {
          const plan = await plans.next();
          if (plan.done === true) return { done: true, value: undefined };
          at = latest = plan.value;
          const { rows: planned, time } = plan.value;
          const isPacked = settled.arrangement === 'packed';
          return { done: false, value: makeBatch(planned, { padId: rows.padId, time, isPacked }) };
        },
        async return() {
          await plans.return(undefined);
          return { done: true, value: undefined };
        },
      };
    },
    from: position => batchesFrom(rows, settled, checkedPosition(position, startPosition(rows, settled))),
    report: () => latest.report,
  };
}

/**
 * Goes through the data as {@link trainingBatches} would, without making tensors: how many batches there are, tokens, padding,
 * and what is cut.
 *
 * @param options - those of the batches; without `epochs`, one epoch
 * @param most - batches to count at most; of large data, what they tell holds for the rest. @defaultValue all
 */
export async function countBatches(
  rows: TokenizedRows,
  options: TrainingBatchesOptions,
  most: number = Infinity,
): Promise<DataReport> {
  const settled = readOptions(rows, { ...options, epochs: options.epochs ?? 1 });
  if (settled.epochs === Infinity && most === Infinity) {
    throw problem('data', { what: 'countBatches() would never end', fix: 'give epochs, or how many batches to count' });
  }
  let report = emptyReport;
  for await (const plan of batchPlans(rows, settled, startPosition(rows, settled))) {
    report = plan.report;
    if (report.batches >= most) break;
  }
  return report;
}

function readOptions(rows: unknown, options: TrainingBatchesOptions): BatchSettings {
  checkValue('data', 'trainingBatches(): the rows', rows, areTokenized, 'what tokenizeRows() gives');
  checkOptions('data', 'trainingBatches()', options, [
    ...[...batchSizeNames, 'arrangement', 'shuffle', 'seed', 'epochs', 'shuffleBuffer'],
  ]);
  const batch = readBatchSize(options);
  const { arrangement = 'byLength', shuffle = true, seed = 0, epochs = Infinity, shuffleBuffer = 1024 } = options;
  checkNumber('data', 'seed', seed, ranges.integer);
  checkNumber('data', 'shuffleBuffer', shuffleBuffer, ranges.count);
  if (epochs !== Infinity) checkNumber('data', 'epochs', epochs, ranges.count);
  const arrangements = ['inOrder', 'byLength', 'packed'];
  if (!arrangements.includes(arrangement)) {
    throw problem('data', { what: 'arrangement is not usable', got: arrangement, expected: arrangements.join(', ') });
  }
  return { batch, arrangement, shuffle, seed, epochs, shuffleBuffer };
}

function areTokenized(rows: unknown): boolean {
  return typeof rows === 'object' && rows !== null && 'tokenize' in rows;
}

function reportAt({ read, given }: DataPosition): DataReport {
  return addedReports(read, given);
}
