import { checkOptions } from '@dropbp/basics';
import type { RowValue } from '../sources/rowSource.ts';
import { openSource, type FileType } from '../sources/openSource.ts';

/** A row of a file as it stands there, whatever its columns mean. */
export interface RawRow {
  /** For messages: `'questions.jsonl, line 17'`. */
  readonly place: string;
  /** The row as it was read: its columns by name. */
  readonly value: RowValue;
}

/** Options of {@link readRows}. */
export interface ReadRowsOptions {
  /** What kind of file it is. @defaultValue by the ending of its name */
  readonly fileType?: FileType;
}

/**
 * Rows of a file for other uses than training, one after the other: JSON Lines, JSON, CSV or Parquet, plain or compressed
 * with gzip.
 *
 * @throws Problem if the file cannot be read, or a row of it, with its place
 */
export async function* readRows(
  file: string | Blob,
  options: ReadRowsOptions = {},
): AsyncGenerator<RawRow, void, undefined> {
  checkOptions('data', 'readRows()', options, ['fileType']);
  const source = await openSource(file, options.fileType);
  for await (const rows of source.scan()) {
    for (const row of rows) {
      if ('error' in row) throw row.error;
      yield { place: row.place, value: row.value };
    }
  }
}
