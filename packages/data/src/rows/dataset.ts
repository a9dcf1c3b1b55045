import type { Problem } from '@dropbp/basics';
import type { RecognizedFormat } from './formats/recognizeFormat.ts';
import type { Sample } from './formats/sample.ts';

/** What is done with a row that cannot be used. */
export type BadRows = 'throw' | 'skip';

/** A row of a {@link Dataset}. */
export interface Row {
  /** Its number in the data set, from 0. */
  readonly index: number;
  /** Where it stands, for messages: `'chats.jsonl, line 17'`. */
  readonly place: string;
  /** What the row says. */
  readonly sample: Sample;
}

/** Rows that were left out. */
export interface SkippedRows {
  /** How many rows. */
  readonly count: number;
  /** The problems of the first ten. */
  readonly first: readonly Problem[];
}

/** Rows of one format. Rows of files are read again whenever they are asked for, so that no more is held than an index. */
export interface Dataset {
  /** For messages: the names of the files. */
  readonly name: string;
  /** What a row is, and how that was found. */
  readonly format: RecognizedFormat;
  /** What was found, and why: for people. */
  readonly explanation: string;
  /** How many rows there are; undefined where that shows only at their end. */
  readonly length: number | undefined;
  /** Size of the files; undefined for rows from code. */
  readonly bytes: number | undefined;
  /** Rows that cannot be used, and what was done with them. */
  readonly badRows: BadRows;
  /** Those that were left out when the data set was opened; of a stream, so far. */
  readonly skipped: SkippedRows;
  /** The first row of each part that is decoded as a whole: cheap to read one after the other, dear to jump between. */
  readonly blocks?: readonly number[];
  /** Rows by their numbers, in the order asked for. Of a stream, this goes through it from its start. */
  read(indices: readonly number[]): Promise<Row[]>;
  /**
   * All rows in order.
   *
   * @param from - the number of the first one. @defaultValue 0
   */
  rows(from?: number): AsyncIterable<Row>;
}
