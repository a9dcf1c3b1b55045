import { isObject, problem, seededRandom } from '@dropbp/basics';
import type { PreferencePosition } from './preferenceBatches.ts';
import type { TokenizedPreferences } from './tokenizePreferences.ts';

/** How rows are ordered. */
export interface OrderOptions {
  readonly batchSize: number;
  readonly shuffle: boolean;
  readonly seed: number;
  readonly epochs: number;
}

/** Which rows each batch has: it follows from the batch's number alone. */
export interface RowOrder {
  /** What positions belong to. */
  readonly settings: PreferencePosition['settings'];
  /** The rows of a batch; undefined behind the last one. */
  rowsOf(batch: number): readonly number[] | undefined;
  /** All rows once. */
  groups(): Iterable<readonly number[]>;
  /** The number of the batch. @throws Problem for what is not a position of these batches */
  checkPosition(position: unknown): number;
}

/** Tells the order of groups from that of rows. */
const GROUPS = 1;

/** Pairs come in another order in each epoch; rated answers in groups that stay together. */
export function rowOrder({ format, rows, seqLen }: TokenizedPreferences, options: OrderOptions): RowOrder {
  const { batchSize, shuffle, seed, epochs } = options;
  const count = rows.length;
  const settings = { format, rows: count, seqLen, batchSize, shuffle, seed };
  const common = { settings, checkPosition: (position: unknown) => checkPosition(position, settings) };
  if (format === 'paired') {
    const orderOf = remember(epoch => permutation(count, shuffle, [seed, epoch]));
    return {
      ...common,
      rowsOf(batch) {
        const start = batch * batchSize;
        const end = Math.min(start + batchSize, count * epochs);
        if (start >= end) return undefined;
        return Array.from({ length: end - start }, (_, i) => {
          const at = start + i;
          return orderOf(Math.floor(at / count))[at % count]!;
        });
      },
      groups: () =>
        cut(
          Array.from({ length: count }, (_, i) => i),
          batchSize,
        ),
    };
  }
  const groups = cut([...permutation(count, shuffle, [seed])], batchSize);
  // A prompt needs the answer to another one.
  if (groups.at(-1)!.length === 1 && groups.length > 1) groups.at(-2)!.push(...groups.pop()!);
  const orderOf = remember(epoch => permutation(groups.length, shuffle, [seed, epoch, GROUPS]));
  return {
    ...common,
    rowsOf(batch) {
      const epoch = Math.floor(batch / groups.length);
      return epoch < epochs ? groups[orderOf(epoch)[batch % groups.length]!] : undefined;
    },
    groups: () => groups,
  };
}

function permutation(count: number, shuffle: boolean, seeds: readonly [number, ...number[]]): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  if (!shuffle) return order;
  const random = seededRandom(...seeds);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** The order of the epoch that was asked for last. */
function remember(make: (epoch: number) => Uint32Array): (epoch: number) => Uint32Array {
  let known: { readonly epoch: number; readonly order: Uint32Array } | undefined;
  return epoch => {
    if (known?.epoch !== epoch) known = { epoch, order: make(epoch) };
    return known.order;
  };
}

function cut(list: readonly number[], size: number): number[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));
}

function checkPosition(position: unknown, settings: PreferencePosition['settings']): number {
  const { version, settings: theirs, batch } = isObject(position) ? (position as Partial<PreferencePosition>) : {};
  if (version !== 1 || !isObject(theirs) || !Number.isSafeInteger(batch) || batch! < 0) {
    const expected = 'the position of an iteration over these batches';
    throw problem('preferences', { what: 'the position in the data is not usable', got: position, expected });
  }
  for (const [name, own] of Object.entries(settings)) {
    if (theirs[name] === own) continue;
    throw problem('preferences', {
      what: `the position in the data is of a run with another ${name}`,
      got: theirs[name],
      expected: String(own),
      fix: 'go on with the data and options that the run began with, or begin anew',
    });
  }
  return batch!;
}
