import { totalmem } from 'node:os';
import { problem } from '@dropbp/basics';
import type { BatchShape, Model } from '@dropbp/core';

/** What exists of a batch at the least, between two branches: what one reads, what it adds, and their sum. */
const STREAMS = 3;
/** Elements of a typed array, in every version of Node. */
const MOST_ELEMENTS = 2 ** 32 - 1;

/**
 * Refuses a batch that cannot be held, before anything of its size is made. One that passes may still be too large: what a step
 * keeps besides depends on the adapter and on what is dropped.
 *
 * @param memoryBytes - of the machine
 * @throws Problem naming the largest that could be held
 */
export function checkBatchSize(
  { batch, time }: BatchShape,
  { hiddenSize }: Pick<Model, 'hiddenSize'>,
  memoryBytes: number = totalmem(),
): void {
  const elements = Math.min(MOST_ELEMENTS, memoryBytes / 4 / STREAMS);
  const most = Math.floor(elements / (time * hiddenSize));
  if (batch <= most) return;
  throw problem('cli', {
    what: '--batch is too large for the memory of this machine',
    got: batch,
    expected: `fewer than ${most + 1} sequences of ${time} tokens`,
    fix: 'give a smaller --batch, or shorter sequences by --time',
  });
}
