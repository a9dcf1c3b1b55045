import { checkOptions, checkValue, isObject, problem } from '@dropbp/basics';
import { listSource } from '../sources/text/json.ts';
import { joinedSource } from '../sources/joinedSource.ts';
import { openSource, type FileType } from '../sources/openSource.ts';
import type { RowSource } from '../sources/rowSource.ts';
import type { BadRows, Dataset } from './dataset.ts';
import { readableColumns, type RecognizeFormatOptions } from './formats/recognizeFormat.ts';
import { sourceDataset } from './sourceDataset.ts';
import { streamDataset } from './streamDataset.ts';

/** Options of {@link openDataset}. */
export interface OpenDatasetOptions extends RecognizeFormatOptions {
  /** What kind of files they are. @defaultValue by the endings of their names */
  readonly fileType?: FileType;
  /** What is done with a row that cannot be used: an error that names its place, or left out and counted. @defaultValue `'throw'` */
  readonly badRows?: BadRows;
}

/** Where rows come from: a file or several, rows in memory, or rows that come one at a time. */
export type DatasetSource = string | Blob | readonly (string | Blob)[] | readonly object[] | RowStream;

/** Rows that come one at a time; a function gives them anew for each time that they are gone through. */
export type RowStream = AsyncIterable<unknown> | (() => AsyncIterable<unknown> | Iterable<unknown>);

/**
 * Opens data to train on: JSON Lines, JSON, CSV, Parquet and plain text, plain or compressed with gzip, or rows from code.
 * It finds out what the rows are, and looks at every row of a file, so that a bad one shows now and not after hours.
 *
 * Files are gone through once; after that only where each row lies is held, 16 bytes a row, and rows are read when they are
 * asked for, in any order. JSON and compressed files are held in memory as a whole, and rows of Parquet are decoded by
 * their row groups. Rows that come from an iterable are neither held nor counted.
 *
 * @throws Problem if a file cannot be read, a row cannot be used, or the rows have no format that is known
 *
 * @example
 * ```ts
 * const dataset = await openDataset('chats.jsonl', { badRows: 'skip' });
 * console.log(dataset.explanation, dataset.length, dataset.skipped.count);
 * ```
 */
export async function openDataset(source: DatasetSource, options: OpenDatasetOptions = {}): Promise<Dataset> {
  checkOptions('data', 'openDataset()', options, ['fileType', 'badRows', 'format', 'columns', 'template']);
  const { fileType, badRows = 'throw', ...recognizing } = options;
  if (!['throw', 'skip'].includes(badRows)) {
    throw problem('data', { what: 'badRows is not usable', got: badRows, expected: "'throw' or 'skip'" });
  }
  const { columns = {} } = recognizing;
  checkValue('data', 'columns', columns, isObject, "columns by name: { prompt: 'question', completion: 'answer' }");
  if (isStream(source)) return streamDataset(source, { badRows, recognizing });
  return sourceDataset(await rowSourceOf(source, fileType, recognizing), { badRows, recognizing });
}

function isStream(source: DatasetSource): source is RowStream {
  if (typeof source === 'function') return true;
  return typeof source === 'object' && (source as object | null) !== null && Symbol.asyncIterator in source;
}

async function rowSourceOf(
  source: Exclude<DatasetSource, RowStream>,
  fileType: FileType | undefined,
  recognizing: RecognizeFormatOptions,
): Promise<RowSource> {
  if (typeof source === 'string' || source instanceof Blob) return opened(source, fileType, recognizing);
  if (!Array.isArray(source)) {
    throw problem('data', {
      what: 'openDataset(): the source is not usable',
      got: source,
      expected: 'the path of a file, a Blob, a list of those or of rows, or what gives rows one at a time',
    });
  }
  const files = source.filter(item => typeof item === 'string' || item instanceof Blob);
  if (files.length === 0) return listSource('the list', source, { kind: 'rows in memory' });
  if (files.length !== source.length) {
    throw problem('data', { what: 'the data are files and rows', expected: 'either files or rows' });
  }
  const sources: RowSource[] = [];
  for (const file of files) sources.push(await opened(file, fileType, recognizing));
  return sources.length === 1 ? sources[0]! : joinedSource(sources);
}

async function opened(
  file: string | Blob,
  fileType: FileType | undefined,
  recognizing: RecognizeFormatOptions,
): Promise<RowSource> {
  const source = await openSource(file, fileType);
  const columns = readableColumns(recognizing);
  if (columns !== undefined) source.select?.(columns);
  return source;
}
