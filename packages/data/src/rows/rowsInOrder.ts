import type { Dataset, Row } from './dataset.ts';

/** How many rows are read at a time where all are gone through. */
const GROUP = 256;

/** All rows from one on, read in groups. */
export async function* rowsInOrder(length: number, read: Dataset['read'], from = 0): AsyncGenerator<Row> {
  for (let start = from; start < length; start += GROUP) {
    yield* await read(Array.from({ length: Math.min(GROUP, length - start) }, (_, i) => start + i));
  }
}
