import { problem, type Problem } from '@dropbp/basics';
import { badRow, type SourceRow } from '../sources/rowSource.ts';
import type { Row, SkippedRows } from './dataset.ts';
import { problemText } from './formats/problemText.ts';
import { sampleOf, type RecognizedFormat } from './formats/recognizeFormat.ts';
import { RowFault } from './rowFault.ts';

/** A row as its format reads it, or the problem with its place. */
export function readRow(format: RecognizedFormat, row: SourceRow, index: number): Row | Problem {
  if ('error' in row) return row.error;
  const { place, value, piece } = row;
  try {
    const sample = sampleOf(format, value);
    return { index, place, sample: piece !== undefined && sample.kind === 'text' ? { ...sample, ...piece } : sample };
  } catch (error) {
    if (error instanceof RowFault) return badRow(place, error.details).error;
    throw error;
  }
}

/** A problem with what can be done about it where rows are not left out. */
export function withSkipHint(error: Problem): Problem {
  return problem('data', {
    what: problemText(error),
    fix: "mend the row, or leave such rows out with badRows: 'skip'",
    ...(error.cause !== undefined && { cause: error.cause }),
  });
}

/** Counts rows that are left out. */
export interface SkipCounter extends SkippedRows {
  /** @param error - makes the problem, where it is kept */
  add(error: () => Problem): void;
}

const KEPT_PROBLEMS = 10;

export function skipCounter(): SkipCounter {
  const first: Problem[] = [];
  let count = 0;
  return {
    first,
    get count() {
      return count;
    },
    add(error) {
      count++;
      if (first.length < KEPT_PROBLEMS) first.push(error());
    },
  };
}
