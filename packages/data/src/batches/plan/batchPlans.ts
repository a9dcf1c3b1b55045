import { bucketLength, problem, seededRandom } from '@dropbp/basics';
import { shuffle as shuffleList } from '../../text/shuffled.ts';
import { arrange, type ArrangeOptions } from './arrange.ts';
import { checkBatchNumber, type DataPosition } from './dataPosition.ts';
import { addedReports, type DataReport } from './dataReport.ts';
import { rowOrder } from './rowOrder.ts';
import { labelCount, promptLength, type Sequence } from '../sequence.ts';
import { sequencesAt, sequenceWindow, type PlacedSequence } from './sequenceWindow.ts';
import type { TokenizedRows } from '../tokenizeRows.ts';
import type { TrainingBatchesOptions } from '../trainingBatches.ts';

/** Options of batches with their defaults. */
export type BatchSettings = Required<Omit<TrainingBatchesOptions, 'batchSize'>>;

/** A batch before it becomes tensors. */
export interface BatchPlan {
  readonly rows: readonly (readonly Sequence[])[];
  /** Tokens in a row, padding included. */
  readonly time: number;
  /** The place behind the batch. */
  readonly position: DataPosition;
  readonly report: DataReport;
}

/** A window holds this many batches, so that there is something to sort and to pack. */
const WINDOW_BATCHES = 16;

/** The batches from a position on, before they become tensors. The sequences of a window and those that wait are all that is held. */
export async function* batchPlans(
  rows: TokenizedRows,
  settled: BatchSettings,
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
      checkBatchNumber(first, batches.length);
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
  { batch, arrangement }: BatchSettings,
  options: Pick<ArrangeOptions, 'random' | 'isLast'>,
): { batches: PlacedSequence[][][]; rest: PlacedSequence[] } {
  const lengths = pool.map(({ ids }) => ids.length);
  const { batches, rest } = arrange(lengths, arrangement, { batch, time, ...options });
  const found = (number: number): PlacedSequence => pool[number]!;
  return { batches: batches.map(rows => rows.map(row => row.map(found))), rest: rest.map(found) };
}

/** Tells the order within a window from that of the rows. */
const WINDOW = 3;

function wantedSequences(
  { dataset }: TokenizedRows,
  { batch, arrangement, shuffle, shuffleBuffer }: BatchSettings,
): number {
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
    prompts: all.reduce((sum, sequence) => sum + promptLength(sequence), 0),
    padding: sequences.length * time - tokens,
    longest: time,
    shortest: time,
  };
}

function nothingCounts({ dataset }: TokenizedRows, { rows, badRows, withoutLabels, tooLongRows }: DataReport): Error {
  return problem('data', {
    what: `no row of ${dataset.name} gives a token that counts`,
    got: { rows, badRows, withoutLabels, tooLongRows },
    fix: 'look at a few rows: are there answers, and do they fit into time?',
  });
}
