import { totalmem } from 'node:os';
import { problem } from '@dropbp/basics';
import type { BatchShape, Model } from '@dropbp/core';
import { flagName } from '../flags/flagName.ts';
import type { MethodFlagValues } from '../flags/tables/methodFlags.ts';

/** Elements of a typed array, in every version of Node. */
const MOST_ELEMENTS = 2 ** 32 - 1;
/** What exists of a batch at the least, between two branches: what one reads, what it adds, and their sum. */
const STREAMS = 3;
/** What exists of all that is trained: itself, its gradient, and AdamW's two moments. */
const TRAINED_COPIES = 4;
/** Options of methods that each make a row as wide as the model, at the least, for every one that they count. */
const counts = ['rank', 'numVirtualTokens', 'adapterLen', 'encoderHiddenSize'] as const;

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
  const most = mostRows(time * hiddenSize, STREAMS, memoryBytes);
  if (batch > most)
    throw tooLarge('batch', batch, `${most} sequences of ${time} tokens`, ', or shorter sequences by --time');
}

/** The same of what is trained. @throws Problem naming the option and the largest that could be held */
export function checkMethodSize(
  flags: Pick<MethodFlagValues, (typeof counts)[number]>,
  { hiddenSize }: Pick<Model, 'hiddenSize'>,
  memoryBytes: number = totalmem(),
): void {
  const most = mostRows(hiddenSize, TRAINED_COPIES, memoryBytes);
  for (const name of counts) if ((flags[name] ?? 0) > most) throw tooLarge(name, flags[name]!, String(most));
}

/** How many rows of float32 can be held, in so many copies. */
function mostRows(width: number, copies: number, memoryBytes: number): number {
  return Math.floor(Math.min(MOST_ELEMENTS, memoryBytes / (4 * copies)) / width);
}

function tooLarge(key: string, got: number, most: string, other = ''): Error {
  return problem('cli', {
    what: `${flagName(key)} is too large for the memory of this machine`,
    got,
    expected: `at most ${most}, and fewer in practice`,
    fix: `give a smaller ${flagName(key)}${other}`,
  });
}
