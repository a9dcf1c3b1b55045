import { checkNumber, checkOptions, problem, ranges, seededRandom } from '@dropbp/basics';
import { shuffled } from '../text/shuffled.ts';
import { checkDataset } from './checkDataset.ts';
import type { Dataset, Row } from './dataset.ts';
import { rowsInOrder } from './rowsInOrder.ts';

/** Options of {@link splitDataset}. */
export interface SplitDatasetOptions {
  /** The part of the rows that is held out, in (0, 1). */
  readonly share: number;
  /** Chooses the rows; the same seed chooses the same. */
  readonly seed: number;
}

/** A data set in two parts that share no row. */
export interface DatasetSplit {
  /** Rows to train on. */
  readonly train: Dataset;
  /** Rows to measure with. */
  readonly heldOut: Dataset;
}

/** Tells the choice of rows from the other uses of a seed. */
const SPLIT = 2;

/**
 * Keeps a part of the rows from training, to measure the loss on. Of rows that come one at a time, each is held out by
 * chance, so that their share is met about; of others, exactly, and with at least one row in each part.
 *
 * @throws Problem for options that are not usable, or where there is only one row
 */
export function splitDataset(dataset: Dataset, options: SplitDatasetOptions): DatasetSplit {
  checkDataset('splitDataset()', dataset);
  checkOptions('data', 'splitDataset()', options, ['share', 'seed']);
  const { share, seed } = options;
  checkNumber('data', 'share', share, { accepts: v => v > 0 && v < 1, expected: 'a number in (0, 1)' });
  checkNumber('data', 'seed', seed, ranges.integer);
  const { length } = dataset;
  if (length === undefined) {
    const isHeldOut = (index: number): boolean => seededRandom(seed, SPLIT, index)() < share;
    return { train: filtered(dataset, index => !isHeldOut(index)), heldOut: filtered(dataset, isHeldOut) };
  }
  if (length < 2)
    throw problem('data', { what: `${dataset.name} is too short to hold a row out`, got: `${length} row` });
  const count = Math.min(length - 1, Math.max(1, Math.round(length * share)));
  const order = shuffled(length, seededRandom(seed, SPLIT));
  return { train: subset(dataset, order.slice(count)), heldOut: subset(dataset, order.slice(0, count)) };
}

/** Some rows of a data set, in its order and numbered anew. */
function subset(dataset: Dataset, indices: Uint32Array): Dataset {
  const own = indices.toSorted();
  const renumbered = (row: Row, index: number): Row => ({ ...row, index });
  const read = async (wanted: readonly number[]): Promise<Row[]> => {
    const rows = await dataset.read(wanted.map(index => own[index]!));
    return rows.map((row, i) => renumbered(row, wanted[i]!));
  };
  const { blocks } = dataset;
  return {
    ...dataset,
    length: own.length,
    ...(blocks !== undefined && { blocks: ownBlocks(blocks, own) }),
    read,
    rows: from => rowsInOrder(own.length, read, from),
  };
}

/** The first of these rows in each block that holds one of them. */
function ownBlocks(blocks: readonly number[], own: Uint32Array): number[] {
  const starts: number[] = [];
  let at = 0;
  for (const [i, start] of blocks.entries()) {
    const end = blocks[i + 1] ?? Infinity;
    while (at < own.length && own[at]! < start) at++;
    if (at < own.length && own[at]! < end) starts.push(at);
  }
  return starts;
}

/** The rows of a stream that are of one part; they keep their numbers. */
function filtered(dataset: Dataset, isOwn: (index: number) => boolean): Dataset {
  return {
    ...dataset,
    async *rows(from) {
      for await (const row of dataset.rows(from)) if (isOwn(row.index)) yield row;
    },
  };
}
