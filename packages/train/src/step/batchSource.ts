import { problem } from '@dropbp/basics';
import type { BatchIterator, ObjectiveBatch, ResumableBatches } from '@dropbp/core';
import { newData } from '../checkpoints/course.ts';
import { checkFresh, disposeBatch } from './disposeBatch.ts';

/** Batches that are asked for one at a time. */
export interface BatchSource {
  /** The next batch, which the caller owns. @throws Problem where there is none */
  next(step: number): Promise<ObjectiveBatch>;
  /** Behind the last batch, where the batches say it; null otherwise. */
  readonly position: unknown;
  /** Tells the iterator that no more is wanted. */
  close(): Promise<void>;
}

/** Where a run goes on. */
export interface BatchStart {
  /** Batches that it has used. */
  readonly count: number;
  /** {@link BatchSource.position} at that time. */
  readonly position: unknown;
}

type Batches = Iterable<ObjectiveBatch> | AsyncIterable<ObjectiveBatch>;

/**
 * @param steps - how many there should be, for messages
 * @param labels - names of what a batch must have beside its tokens
 * @throws Problem if the batches cannot go on from there
 */
export async function batchSource(
  batches: Batches,
  steps: number,
  start: BatchStart,
  labels: readonly string[],
): Promise<BatchSource> {
  const iterator = iterate(batches, start);
  const ended = (what: string): Error =>
    problem('train', {
      what,
      fix: 'give batches that go on, such as textBatches() without epochs, or fewer steps',
    });
  let isDone = false;
  const next = async (): Promise<ObjectiveBatch | undefined> => {
    const result = await iterator.next();
    if (result.done !== true) return checkFresh(result.value, labels);
    isDone = true;
    return undefined;
  };
  const close = async (): Promise<void> => {
    if (!isDone) await iterator.return?.();
    isDone = true;
  };
  if (start.position === null) {
    for (let used = 0; used < start.count; used++) {
      const batch = await next();
      if (batch === undefined) throw ended(`there are ${used} batches, and the run has used ${start.count} already`);
      disposeBatch(batch);
    }
  }
  return {
    async next(step) {
      const batch = await next();
      if (batch !== undefined) return batch;
      throw ended(`the batches ended in step ${step} of ${steps}`);
    },
    get position() {
      return 'position' in iterator ? (iterator.position ?? null) : null;
    },
    close,
  };
}

function iterate(
  batches: Batches,
  { position }: BatchStart,
): Iterator<ObjectiveBatch> | AsyncIterator<ObjectiveBatch> | BatchIterator<ObjectiveBatch> {
  if (position !== null && position !== newData) {
    if (isResumable(batches)) return batches.from(position)[Symbol.asyncIterator]();
    throw problem('train', {
      what: 'the checkpoint knows where its batches stood, and these batches cannot go on from there',
      fix: 'give batches of the same kind as when the run began',
    });
  }
  return Symbol.asyncIterator in batches ? batches[Symbol.asyncIterator]() : batches[Symbol.iterator]();
}

function isResumable(batches: object): batches is ResumableBatches<ObjectiveBatch> {
  return 'from' in batches && typeof batches.from === 'function';
}
