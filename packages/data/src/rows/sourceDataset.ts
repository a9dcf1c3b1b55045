import { Problem, problem } from '@dropbp/basics';
import type { RowSource, SourceRow } from '../sources/rowSource.ts';
import type { BadRows, Dataset, Row } from './dataset.ts';
import { problemText } from './formats/problemText.ts';
import { readRow, skipCounter, withSkipHint, type SkipCounter } from './readRow.ts';
import { rowsInOrder } from './rowsInOrder.ts';
import { recognizeFormat, type RecognizedFormat, type RecognizeFormatOptions } from './formats/recognizeFormat.ts';

/** How a data set is made of rows. */
export interface DatasetOf {
  readonly badRows: BadRows;
  readonly recognizing: RecognizeFormatOptions;
}

/** The rows of a source that can be read in any order: all are looked at once, and the good ones are numbered anew. */
export async function sourceDataset(source: RowSource, { badRows, recognizing }: DatasetOf): Promise<Dataset> {
  const skipped = skipCounter();
  const { format, good } = await scanned(source, recognizing, badRows, skipped);
  const { name, kind } = source;
  if (format === undefined || good.length === 0) {
    throw problem('data', {
      what: `${name} holds no rows`,
      ...(skipped.count > 0 && { got: `${skipped.count} bad ones` }),
    });
  }
  const read = async (indices: readonly number[]): Promise<Row[]> => {
    const rows = await source.read(indices.map(index => good.at(index)));
    return rows.map((row, i) => {
      const result = readRow(format, row, indices[i]!);
      if (result instanceof Problem) throw result; // it could be read before
      return result;
    });
  };
  const { blocks } = source;
  const left = skipped.count === 0 ? '' : `, and ${skipped.count} that are left out`;
  return {
    name,
    format,
    explanation: `${name}: ${kind}; ${good.length} rows${left}. ${format.explanation}`,
    length: good.length,
    bytes: source.bytes,
    badRows,
    skipped,
    ...(blocks !== undefined && { blocks: good.renumbered(blocks) }),
    read,
    rows: from => rowsInOrder(good.length, read, from),
  };
}

async function scanned(
  source: RowSource,
  recognizing: RecognizeFormatOptions,
  badRows: BadRows,
  skipped: SkipCounter,
): Promise<{ format: RecognizedFormat | undefined; good: GoodRows }> {
  const good = goodRows();
  let format: RecognizedFormat | undefined;
  for await (const rows of source.scan()) {
    format ??= firstFormat(source, rows, recognizing);
    for (const row of rows) {
      // Without a format, no row of the group could be read.
      const result = 'error' in row ? row : readRow(format!, row, 0);
      const fault = 'error' in result ? () => result.error : result instanceof Problem ? () => result : undefined;
      if (fault !== undefined && badRows === 'throw') throw withSkipHint(fault());
      if (fault !== undefined) skipped.add(fault);
      good.push(fault === undefined);
    }
  }
  return { format, good };
}

/** The format of the first row that has one; undefined where no row could be read. */
function firstFormat(
  { name, columns = [] }: RowSource,
  rows: readonly SourceRow[],
  recognizing: RecognizeFormatOptions,
): RecognizedFormat | undefined {
  // Columns that were not read count as there and empty, so that the explanation names them.
  const all = Object.fromEntries(columns.map(column => [column, undefined]));
  let first: unknown;
  for (const row of rows) {
    if ('error' in row) continue;
    try {
      return recognizeFormat({ ...all, ...row.value }, recognizing);
    } catch (error) {
      first ??= error;
    }
  }
  if (!(first instanceof Problem)) return undefined;
  throw problem('data', { what: `${name}: ${problemText(first)}`, cause: first });
}

/** Which rows of a source are good ones. */
interface GoodRows {
  readonly length: number;
  push(isGood: boolean): void;
  /** The number in the source of a good row. */
  at(index: number): number;
  /** Numbers of rows of the source as the numbers of the good rows at them or next behind. */
  renumbered(rows: readonly number[]): number[];
}

function goodRows(): GoodRows {
  // Only once one is bad does anything have to be kept: then the numbers of those that are.
  const bad: number[] = [];
  let count = 0;
  /** How many bad ones there are before a row of the source. */
  const badBefore = (row: number): number => {
    let [low, high] = [0, bad.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (bad[middle]! < row) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return {
    get length() {
      return count - bad.length;
    },
    push(isGood) {
      if (!isGood) bad.push(count);
      count++;
    },
    at(index) {
      // The good row number `index` stands behind k bad ones where bad[k] - k is the first that is larger than it.
      let [low, high] = [0, bad.length];
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (bad[middle]! - middle <= index) low = middle + 1;
        else high = middle;
      }
      return index + low;
    },
    renumbered: rows =>
      rows.map(row => row - badBefore(row)).filter((row, i, all) => row !== all[i - 1] && row < count - bad.length),
  };
}
