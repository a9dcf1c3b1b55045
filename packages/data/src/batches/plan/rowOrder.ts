import { seededRandom } from '@dropbp/basics';
import type { Dataset, Row } from '../../rows/dataset.ts';
import { shuffled } from '../../text/shuffled.ts';

/** Some rows of an epoch. */
export interface RowGroup {
  readonly rows: readonly Row[];
  /** Where the next ones begin. */
  readonly next: number;
  /** Whether the epoch ends with them. */
  readonly isLast: boolean;
}

/** The rows of a data set in the order in which an epoch takes them. */
export interface RowOrder {
  /** At most `count` rows of an epoch from a place in its order on. */
  take(epoch: number, from: number, count: number): Promise<RowGroup>;
  /** Rows by their numbers in the data set, as `Row.index` has them. */
  byIndex(indices: readonly number[]): Promise<Row[]>;
  /** Ends reading. */
  close(): Promise<void>;
}

/**
 * The order of rows: another one in each epoch, by the seed. Rows that are decoded in blocks come block by block, so that
 * each is decoded once: the blocks in random order, and the rows of each. Rows that come one at a time keep their order.
 *
 * @param seed - undefined keeps the data set's own order
 */
export function rowOrder(dataset: Dataset, seed: number | undefined): RowOrder {
  return dataset.length === undefined ? streamOrder(dataset) : indexedOrder(dataset, dataset.length, seed);
}

function indexedOrder(dataset: Dataset, length: number, seed: number | undefined): RowOrder {
  let known: { epoch: number; order: Uint32Array } | undefined;
  const orderOf = (epoch: number): Uint32Array => {
    if (known?.epoch !== epoch) known = { epoch, order: epochOrder(dataset, length, seed, epoch) };
    return known.order;
  };
  const byIndex = (indices: readonly number[]): Promise<Row[]> => dataset.read(indices);
  return {
    async take(epoch, from, count) {
      const next = Math.min(length, from + count);
      return { rows: await byIndex([...orderOf(epoch).subarray(from, next)]), next, isLast: next === length };
    },
    byIndex,
    close: () => Promise.resolve(),
  };
}

function epochOrder({ blocks = [] }: Dataset, length: number, seed: number | undefined, epoch: number): Uint32Array {
  if (seed === undefined) return Uint32Array.from({ length }, (_, i) => i);
  const random = seededRandom(seed, epoch);
  if (blocks.length < 2) return shuffled(length, random);
  const order = new Uint32Array(length);
  let at = 0;
  for (const block of shuffled(blocks.length, random)) {
    const start = blocks[block]!;
    const rows = shuffled((blocks[block + 1] ?? length) - start, random);
    order.set(
      rows.map(row => start + row),
      at,
    );
    at += rows.length;
  }
  return order;
}

function streamOrder(dataset: Dataset): RowOrder {
  let open: { epoch: number; next: number; rows: AsyncIterator<Row> } | undefined;
  const close = async (): Promise<void> => {
    await open?.rows.return?.();
    open = undefined;
  };
  return {
    async take(epoch, from, count) {
      if (open?.epoch !== epoch || open.next !== from) {
        await close();
        open = { epoch, next: from, rows: dataset.rows(from)[Symbol.asyncIterator]() };
      }
      const rows: Row[] = [];
      while (rows.length < count) {
        const result = await open.rows.next();
        if (result.done === true) return { rows, next: open.next, isLast: true };
        rows.push(result.value);
        open.next = result.value.index + 1;
      }
      return { rows, next: open.next, isLast: false };
    },
    byIndex: indices => dataset.read(indices),
    close,
  };
}
