import { problem } from '@dropbp/basics';
import type { BatchIterator, ObjectiveBatch, ResumableBatches } from '@dropbp/core';

/**
 * Batches that follow from their numbers, so that a stopped run goes on at the one that it had come to.
 *
 * @param count - how many there are
 * @param make - makes the batch of a number, which the caller owns
 */
export function numberedBatches(
  count: number,
  make: (number: number) => ObjectiveBatch,
): ResumableBatches<ObjectiveBatch> {
  const begin = (from: number): BatchIterator<ObjectiveBatch> => {
    let used = from;
    const take = (): IteratorResult<ObjectiveBatch, undefined> =>
      used < count ? { value: make(used++) } : { done: true, value: undefined };
    return Object.defineProperty({ next: () => Promise.resolve(take()) }, 'position', {
      get: () => ({ batches: used }),
    }) as BatchIterator<ObjectiveBatch>;
  };
  return {
    [Symbol.asyncIterator]: () => begin(0),
    from(position) {
      const { batches } = (position ?? {}) as { readonly batches?: unknown };
      if (!Number.isSafeInteger(batches) || (batches as number) < 0) {
        throw problem('classify', {
          what: 'this is not a position of these batches',
          got: position,
          expected: '{ batches }',
        });
      }
      return { [Symbol.asyncIterator]: () => begin(batches as number) };
    },
  };
}
