import { shuffle } from '../../text/shuffled.ts';

/** How sequences are put together: as they come, those of like length in a batch, or several in a row. */
export type Arrangement = 'inOrder' | 'byLength' | 'packed';

/** What {@link arrange} goes by. */
export interface ArrangeOptions {
  /** Rows in a batch. */
  readonly batch: number;
  /** Tokens in a row at most. */
  readonly time: number;
  /** Orders the batches. @defaultValue they stay as they are */
  readonly random?: (() => number) | undefined;
  /** Whether a batch that is not full is made of what is left. */
  readonly isLast: boolean;
}

/** Sequences, by their numbers, in the rows of batches. */
export interface Arranged {
  readonly batches: readonly (readonly (readonly number[])[])[];
  /** Those that are left for later batches. */
  readonly rest: readonly number[];
}

/** Puts sequences into the rows of full batches. */
export function arrange(lengths: readonly number[], arrangement: Arrangement, options: ArrangeOptions): Arranged {
  const { batch, random, isLast } = options;
  const numbers = lengths.map((_, i) => i);
  if (arrangement === 'packed') {
    const rows = packed(lengths, options.time).toSorted((a, b) => total(b, lengths) - total(a, lengths));
    // The emptiest rows wait for more sequences.
    const kept = isLast ? rows.length : rows.length - (rows.length % batch);
    const full = rows.slice(0, kept);
    return {
      batches: chunks(random === undefined ? full : shuffle(full, random), batch),
      rest: rows.slice(kept).flat(),
    };
  }
  const kept = isLast ? numbers.length : numbers.length - (numbers.length % batch);
  const rest = numbers.slice(kept);
  const own = numbers.slice(0, kept);
  if (arrangement === 'byLength') own.sort((a, b) => lengths[a]! - lengths[b]!);
  const batches = chunks(
    own.map(number => [number]),
    batch,
  );
  return { batches: random === undefined ? batches : shuffle(batches, random), rest };
}

/**
 * Rows of at most `time` tokens, each of which holds as many sequences as fit: best-fit decreasing, at most 22 % more rows
 * than the fewest possible. Source: D. S. Johnson, "Near-optimal bin packing algorithms", 1973.
 */
export function packed(lengths: readonly number[], time: number): number[][] {
  const byLength = lengths.map((_, i) => i).sort((a, b) => lengths[b]! - lengths[a]!);
  /** Rows by how many tokens are left in them. */
  const byRoom = Array.from({ length: time + 1 }, (): number[][] => []);
  const rows: number[][] = [];
  for (const number of byLength) {
    const length = lengths[number]!;
    let room = length;
    while (room <= time && byRoom[room]!.length === 0) room++;
    let row: number[];
    if (room > time) {
      row = [];
      rows.push(row);
      room = time;
    } else row = byRoom[room]!.pop()!;
    row.push(number);
    byRoom[room - length]!.push(row);
  }
  return rows;
}

function total(row: readonly number[], lengths: readonly number[]): number {
  return row.reduce((sum, number) => sum + lengths[number]!, 0);
}

function chunks<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));
}
