import { problem, type Problem, type ProblemDetails } from '@dropbp/basics';

/** The columns of a row by name, as they stand in a file. */
export type RowValue = Readonly<Record<string, unknown>>;

/** A row of a source, or why it is none. */
export type SourceRow = GoodRow | BadRow;

/** A row that could be read. */
export interface GoodRow {
  /** For messages: `'chats.jsonl, line 17'`. */
  readonly place: string;
  readonly value: RowValue;
  /** Of a piece of a longer text: whether the text begins and ends with it. */
  readonly piece?: { readonly begins: boolean; readonly ends: boolean };
}

/** A row that could not be read. */
export interface BadRow {
  readonly place: string;
  readonly error: Problem;
}

/** Rows of one file, by number: read one after the other once, and then in any order. */
export interface RowSource {
  readonly name: string;
  /** What kind of file it is, and how that was found out. */
  readonly kind: string;
  /** Size in bytes, of a file. */
  readonly bytes?: number;
  /** Names of the columns, where the file has them apart from its rows. */
  readonly columns?: readonly string[];
  /** Reads all rows, in groups: to be done to the end before {@link RowSource.read}. */
  scan(): AsyncIterable<readonly SourceRow[]>;
  /** Rows by number, counted from 0 over good and bad ones, in the order asked for. */
  read(rows: readonly number[]): Promise<SourceRow[]>;
  /** The first row of each part that is decoded as a whole, where there are such parts. */
  readonly blocks?: readonly number[] | undefined;
  /** Leaves out all columns but these, where columns can be read apart from each other. */
  select?(columns: readonly string[]): void;
}

/** A row that cannot be used: the problem, with its place in front. It is made when it is asked for: there may be millions. */
export function badRow(place: string, details: ProblemDetails): BadRow {
  let error: Problem | undefined;
  return {
    place,
    get error() {
      return (error ??= problem('data', { ...details, what: `${place}: ${details.what}` }));
    },
  };
}
