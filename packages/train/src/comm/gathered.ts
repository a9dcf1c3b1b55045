import type { Comm } from './comm.ts';

/**
 * A few numbers of every rank, by rank, on every rank. They travel as float32.
 *
 * @param own - equally many on every rank
 */
export async function gathered(comm: Comm, own: readonly number[]): Promise<number[][]> {
  const { rank, size } = comm;
  if (size === 1) return [[...own]];
  // The others add zeros to a rank's place.
  const all = new Float32Array(size * own.length);
  all.set(own, rank * own.length);
  await comm.allReduceSum(all);
  return Array.from({ length: size }, (_, of) => Array.from(all.subarray(of * own.length, (of + 1) * own.length)));
}

/** A number as two that float32 holds, which together have 48 of its bits. */
export function splitNumber(value: number): [large: number, small: number] {
  const large = Math.fround(value);
  return [large, value - large];
}

/** A 32-bit hash as two numbers that float32 holds exactly. */
export function hashNumbers(hash: number): [high: number, low: number] {
  return [hash >>> 16, hash & 0xffff];
}

/** The ranks whose numbers are others than those of rank 0. */
export function differingRanks(all: readonly (readonly number[])[]): number[] {
  const first = all[0]!;
  return all.flatMap((numbers, rank) => (numbers.every((number, i) => number === first[i]) ? [] : [rank]));
}

/** `'rank 1'`, `'ranks 1, 3'`. */
export function nameRanks(ranks: readonly number[]): string {
  const shown = ranks.slice(0, 8).join(', ');
  return `rank${ranks.length === 1 ? '' : 's'} ${shown}${ranks.length > 8 ? ' and more' : ''}`;
}
