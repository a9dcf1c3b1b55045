import { bucketLength, checkNumber, checkOptions, problem, ranges, seededRandom } from '@dropbp/basics';
import type { BatchIterator, ResumableBatches } from '@dropbp/core';
import { shuffle as shuffleList } from '../shuffled.ts';
import { arrange, type ArrangeOptions, type Arrangement } from './arrange.ts';
import { checkedPosition, positionSettings, type DataPosition } from './dataPosition.ts';
import { addedReports, emptyReport, type DataReport } from './dataReport.ts';
import { makeBatch } from './makeBatch.ts';
import { rowOrder } from './rowOrder.ts';
import { labelCount, type Sequence } from './sequence.ts';
import { sequencesAt, sequenceWindow, type PlacedSequence } from './sequenceWindow.ts';
import type { TokenizedRows } from './tokenizeRows.ts';

/** Options of {@link trainingBatches}. */
export interface TrainingBatchesOptions {
  /** Rows in a batch. */
  readonly batch: number;
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

/** A batch before it becomes tensors. */
interface BatchPlan {
  readonly rows: readonly (readonly Sequence[])[];
  /** Tokens in a row, padding included. */
  readonly time: number;
  /** The place behind the batch. */
  readonly position: DataPosition;
  readonly report: DataReport;
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
 * const batches = trainingBatches(rows, { batch: 4, seed: 1, arrangement: 'packed' });
 * for await (const { step, loss } of train(tuned, batches, { steps: 100 })) console.log(step, loss);
 * ```
 */
export function trainingBatches(rows: TokenizedRows, options: TrainingBatchesOptions): TrainingBatches {
  const settled = settle(options);
  return batchesFrom(rows, settled, startPosition(rows, settled));
}

function batchesFrom(rows: TokenizedRows, settled: Settled, start: DataPosition): TrainingBatches {
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
    from: position => batchesFrom(rows, settled, checkedPosition(position, startPosition(rows, settled).settings)),
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
  const settled = settle({ epochs: 1, ...options });
  let report = emptyReport;
  for await (const plan of batchPlans(rows, settled, startPosition(rows, settled))) {
    report = plan.report;
    if (report.batches >= most) break;
  }
  return report;
}

type Settled = Required<TrainingBatchesOptions>;

function settle(options: TrainingBatchesOptions): Settled {
  checkOptions('data', 'trainingBatches()', options, [
    ...['batch', 'arrangement', 'shuffle', 'seed', 'epochs', 'shuffleBuffer'],
  ]);
  const {
    batch,
    arrangement = 'byLength',
    shuffle = true,
    seed = 0,
    epochs = Infinity,
    shuffleBuffer = 1024,
  } = options;
  checkNumber('data', 'batch', batch, ranges.count);
  checkNumber('data', 'seed', seed, { accepts: Number.isInteger, expected: 'an integer' });
  checkNumber('data', 'shuffleBuffer', shuffleBuffer, ranges.count);
  if (epochs !== Infinity) checkNumber('data', 'epochs', epochs, ranges.count);
  const arrangements = ['inOrder', 'byLength', 'packed'];
  if (!arrangements.includes(arrangement)) {
    throw problem('data', { what: 'arrangement is not usable', got: arrangement, expected: arrangements.join(', ') });
  }
  return { batch, arrangement, shuffle, seed, epochs, shuffleBuffer };
}

function startPosition(rows: TokenizedRows, settled: Settled): DataPosition {
  const settings = positionSettings(rows, settled);
  return { version: 1, settings, epoch: 0, row: 0, batch: 0, waiting: [], read: emptyReport, given: emptyReport };
}

function reportAt({ read, given }: DataPosition): DataReport {
  return addedReports(read, given);
}

/** A window holds this many batches, so that there is something to sort and to pack. */
const WINDOW_BATCHES = 16;

/** The batches from the position on. The sequences of a window and those that wait are all that is held. */
async function* batchPlans(
  rows: TokenizedRows,
  settled: Settled,
  start: DataPosition,
): AsyncGenerator<BatchPlan, void, undefined> {
  const { shuffle, seed, epochs } = settled;
  const { settings } = start;
  const order = rowOrder(rows.dataset, shuffle ? seed : undefined);
  let { epoch, row, batch: first, read, given } = start;
  let hasSequences = row > 0 || first > 0; // in this epoch, so far
  const planned = (sequences: readonly (readonly Sequence[])[], place: Place, readSoFar: DataReport): BatchPlan => {
    const time = bucketLength(Math.max(...sequences.map(lengthOf)), rows.time);
    given = addedReports(given, countsOf(sequences, time));
    const position: DataPosition = { version: 1, settings, ...place, given };
    return { rows: sequences, time, position, report: addedReports(readSoFar, given) };
  };
  try {
    let waiting = await sequencesAt(rows, order, start.waiting);
    while (epoch < epochs) {
      const window = await sequenceWindow(rows, order, { epoch, row }, wantedSequences(rows, settled));
      hasSequences ||= window.sequences.length > 0;
      const readSoFar = addedReports(read, window.read);
      if (window.isLast && !hasSequences) throw nothingCounts(rows, readSoFar);
      const random = shuffle ? seededRandom(seed, epoch, row, WINDOW) : undefined;
      const own = [...window.sequences];
      const pool = [...waiting, ...(random === undefined ? own : shuffleList(own, random))];
      const { batches, rest } = arranged(pool, rows, settled, { random, isLast: false });
      const here = { epoch, row, waiting: placesOf(waiting), read };
      const next = window.isLast ? { epoch: epoch + 1, row: 0 } : { epoch, row: window.next };
      const behind = { ...next, batch: 0, waiting: placesOf(rest), read: readSoFar };
      for (let i = first; i < batches.length; i++) {
        yield planned(batches[i]!, i + 1 < batches.length ? { ...here, batch: i + 1 } : behind, readSoFar);
      }
      waiting = rest;
      read = readSoFar;
      first = 0;
      if (window.isLast) hasSequences = false;
      ({ epoch, row } = next);
    }
    // What is left is less than a batch.
    for (const last of arranged(waiting, rows, settled, { random: undefined, isLast: true }).batches) {
      yield planned(last, { epoch, row, batch: 0, waiting: [], read }, read);
    }
  } finally {
    await order.close();
  }
}

type Place = Omit<DataPosition, 'version' | 'settings' | 'given'>;

function arranged(
  pool: readonly PlacedSequence[],
  { time }: TokenizedRows,
  { batch, arrangement }: Settled,
  options: Pick<ArrangeOptions, 'random' | 'isLast'>,
): { batches: PlacedSequence[][][]; rest: PlacedSequence[] } {
  const lengths = pool.map(({ ids }) => ids.length);
  const { batches, rest } = arrange(lengths, arrangement, { batch, time, ...options });
  const found = (number: number): PlacedSequence => pool[number]!;
  return { batches: batches.map(rows => rows.map(row => row.map(found))), rest: rest.map(found) };
}

/** Tells the order within a window from that of the rows. */
const WINDOW = 3;

function wantedSequences({ dataset }: TokenizedRows, { batch, arrangement, shuffle, shuffleBuffer }: Settled): number {
  const most = arrangement === 'inOrder' ? batch : batch * WINDOW_BATCHES;
  return dataset.length === undefined && shuffle ? Math.max(most, shuffleBuffer) : most;
}

function placesOf(sequences: readonly PlacedSequence[]): [number, number][] {
  return sequences.map(({ row, part }) => [row, part]);
}

function lengthOf(sequences: readonly Sequence[]): number {
  return sequences.reduce((sum, { ids }) => sum + ids.length, 0);
}

function countsOf(sequences: readonly (readonly Sequence[])[], time: number): Partial<DataReport> {
  const all = sequences.flat();
  const tokens = lengthOf(all);
  return {
    batches: 1,
    sequences: all.length,
    tokens,
    labels: all.reduce((sum, sequence) => sum + labelCount(sequence), 0),
    padding: sequences.length * time - tokens,
  };
}

function nothingCounts({ dataset }: TokenizedRows, { rows, badRows, withoutLabels, tooLongRows }: DataReport): Error {
  return problem('data', {
    what: `no row of ${dataset.name} gives a token that counts`,
    got: { rows, badRows, withoutLabels, tooLongRows },
    fix: 'look at a few rows: are there answers, and do they fit into time?',
  });
}
