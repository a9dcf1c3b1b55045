import { Problem, problem } from '@dropbp/basics';
import { addedReports, emptyReport, type DataReport } from './dataReport.ts';
import type { RowOrder } from './rowOrder.ts';
import type { Sequence } from '../sequence.ts';
import type { TokenizedRows } from '../tokenizeRows.ts';

/** A sequence that can be found again: its row in the data set, and its number among those of the row. */
export interface PlacedSequence extends Sequence {
  readonly row: number;
  readonly part: number;
}

/** The sequences of some rows that stand one after the other in an epoch. */
export interface SequenceWindow {
  readonly sequences: readonly PlacedSequence[];
  /** Where in the epoch the next window begins. */
  readonly next: number;
  readonly isLast: boolean;
  /** What was read. */
  readonly read: DataReport;
}

/** Rows that are read at first, where it is not known how many sequences they give, and at most. */
const [FIRST_ROWS, MOST_ROWS] = [4, 64];

/** Reads and tokenizes rows from a place in an epoch on, until there are so many sequences. */
export async function sequenceWindow(
  rows: TokenizedRows,
  order: RowOrder,
  place: { readonly epoch: number; readonly row: number },
  wanted: number,
): Promise<SequenceWindow> {
  const sequences: PlacedSequence[] = [];
  let read = emptyReport;
  let next = place.row;
  let isLast = false;
  while (!isLast && sequences.length < wanted) {
    const perRow = Math.max(1, sequences.length / Math.max(1, read.rows));
    const most = read.rows === 0 ? FIRST_ROWS : MOST_ROWS;
    const count = Math.min(most, Math.ceil((wanted - sequences.length) / perRow));
    const group = await order.take(place.epoch, next, count);
    for (const row of group.rows) {
      const { found, counts } = sequencesOf(rows, row);
      for (const sequence of found) sequences.push(sequence); // more than a call takes arguments, of a long text
      read = addedReports(read, counts);
    }
    ({ next, isLast } = group);
  }
  return { sequences, next, isLast, read };
}

/** Sequences that were read before, by their rows and parts. */
export async function sequencesAt(
  rows: TokenizedRows,
  order: RowOrder,
  places: readonly (readonly [row: number, part: number])[],
): Promise<PlacedSequence[]> {
  const indices = [...new Set(places.map(([row]) => row))];
  const { length = Infinity } = rows.dataset;
  const found = new Map<string, PlacedSequence>();
  for (const row of await order.byIndex(indices.filter(index => index < length))) {
    for (const sequence of sequencesOf(rows, row).found) found.set(`${row.index} ${sequence.part}`, sequence);
  }
  return places.map(([row, part]) => {
    const sequence = found.get(`${row} ${part}`);
    if (sequence !== undefined) return sequence;
    throw problem('data', {
      what: `${rows.dataset.name} is not what it was when the position was stored`,
      got: { row, part },
      fix: 'go on with the data, tokenizer and options that the run began with, or begin anew',
    });
  });
}

function sequencesOf(
  rows: TokenizedRows,
  row: Parameters<TokenizedRows['tokenize']>[0],
): { found: PlacedSequence[]; counts: Partial<DataReport> } {
  try {
    const { sequences, cutTokens, withoutLabels } = rows.tokenize(row);
    return {
      found: sequences.map((sequence, part) => ({ ...sequence, row: row.index, part })),
      counts: { rows: 1, cutTokens, withoutLabels, tooLongRows: cutTokens > 0 ? 1 : 0 },
    };
  } catch (error) {
    if (!(error instanceof Problem) || rows.badRows === 'throw') throw error;
    return { found: [], counts: { rows: 1, badRows: 1 } };
  }
}
