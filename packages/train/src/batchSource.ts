import { problem } from '@dropbp/basics';
import type { Batch } from '@dropbp/core';
import { checkFresh } from './disposeBatch.ts';

/** Batches that are asked for one at a time. */
export interface BatchSource {
  /** The next batch, which the caller owns. @throws Problem where there is none */
  next(step: number): Promise<Batch>;
  /** Tells the iterator that no more is wanted. */
  close(): Promise<void>;
}

/** @param steps - how many there should be, for messages */
export function batchSource(batches: Iterable<Batch> | AsyncIterable<Batch>, steps: number): BatchSource {
  const iterator = Symbol.asyncIterator in batches ? batches[Symbol.asyncIterator]() : batches[Symbol.iterator]();
  let isDone = false;
  return {
    async next(step) {
      const result = await iterator.next();
      if (result.done !== true) return checkFresh(result.value);
      isDone = true;
      throw problem('train', {
        what: `the batches ended in step ${step} of ${steps}`,
        fix: 'give batches that go on, such as textBatches() without epochs, or fewer steps',
      });
    },
    async close() {
      if (!isDone) await iterator.return?.();
      isDone = true;
    },
  };
}
