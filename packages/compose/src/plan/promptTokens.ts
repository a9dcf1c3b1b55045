import { sum } from '@dropbp/basics';
import type { LabelledRows } from '@dropbp/core';

/** Tokens of a row in front of the first one that predicts a label: the mean over the rows that have one, rounded down. */
export function promptTokens({ positions, time }: LabelledRows): number {
  const first = new Map<number, number>();
  for (const position of positions) {
    // What an adapter puts in front predicts the first token of its row.
    const row = position < 0 ? -1 - position : Math.floor(position / time);
    const at = position < 0 ? 0 : position % time;
    first.set(row, Math.min(first.get(row) ?? at, at));
  }
  return first.size === 0 ? 0 : Math.floor(sum([...first.values()]) / first.size);
}
