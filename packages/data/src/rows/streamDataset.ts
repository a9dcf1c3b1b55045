import { isObject, Problem, problem } from '@dropbp/basics';
import { badRow, type SourceRow } from '../sources/rowSource.ts';
import type { Dataset, Row } from './dataset.ts';
import type { RowStream } from './openDataset.ts';
import { readRow, skipCounter, withSkipHint } from './readRow.ts';
import { recognizeFormat } from './formats/recognizeFormat.ts';
import type { DatasetOf } from './sourceDataset.ts';

/**
 * Rows that come one at a time: each is looked at when it comes, and numbered whether good or bad. The first one says which
 * format they have.
 */
export async function streamDataset(stream: RowStream, { badRows, recognizing }: DatasetOf): Promise<Dataset> {
  const again = repeatable(stream);
  const first = await firstOf(again);
  const format = recognizeFormat(first, recognizing);
  const skipped = skipCounter();
  /** The number of the next row that was never seen: those before it are counted already. */
  let seen = 0;
  async function* rows(from = 0): AsyncGenerator<Row> {
    let index = -1;
    for await (const value of again()) {
      index++;
      if (index < from) continue;
      const result = readRow(format, placed(value, index), index);
      const isNew = index >= seen;
      seen = Math.max(seen, index + 1);
      if (!(result instanceof Problem)) yield result;
      else if (badRows === 'throw') throw withSkipHint(result);
      else if (isNew) skipped.add(() => result);
    }
  }
  return {
    name: NAME,
    format,
    explanation: `${NAME}: rows that come one at a time. ${format.explanation}`,
    length: undefined,
    bytes: undefined,
    badRows,
    skipped,
    rows,
    async read(indices) {
      const wanted = new Map<number, Row>();
      const last = Math.max(-1, ...indices);
      if (last < 0) return [];
      for await (const row of rows()) {
        if (indices.includes(row.index)) wanted.set(row.index, row);
        if (row.index >= last) break;
      }
      return indices.map(index => {
        const row = wanted.get(index);
        if (row !== undefined) return row;
        throw problem('data', {
          what: `${NAME}: row ${index + 1} is not there this time`,
          fix: 'give the same rows in the same order each time',
        });
      });
    },
  };
}

const NAME = 'the stream';

function placed(value: unknown, index: number): SourceRow {
  const place = `${NAME}, row ${index + 1}`;
  if (isObject(value)) return { place, value };
  return badRow(place, { what: 'this is no object', got: value, expected: 'an object with the columns of the row' });
}

/** Gives the rows anew, as often as they are asked for. */
function repeatable(stream: RowStream): () => AsyncIterable<unknown> | Iterable<unknown> {
  if (typeof stream === 'function') return stream;
  // A stream of bytes or objects is over once it was gone through; so is a generator, which is its own iterator.
  const isOnceOnly = stream instanceof ReadableStream || 'pipe' in stream;
  if (!isOnceOnly && (stream[Symbol.asyncIterator]() as unknown) !== stream) return () => stream;
  throw problem('data', {
    what: 'this iterable can be gone through once only, and rows are read more than once',
    fix: 'give a function that makes it: openDataset(() => rows())',
  });
}

async function firstOf(
  again: () => AsyncIterable<unknown> | Iterable<unknown>,
): Promise<Readonly<Record<string, unknown>>> {
  for await (const value of again()) {
    if (isObject(value)) return value;
  }
  throw problem('data', { what: `${NAME} holds no rows`, expected: 'objects with columns' });
}
