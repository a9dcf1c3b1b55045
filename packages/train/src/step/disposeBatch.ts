import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import type { ObjectiveBatch } from '@dropbp/core';

/** Frees a batch's tensors. */
export function disposeBatch(batch: ObjectiveBatch): void {
  tf.dispose(tensorsOf(batch));
}

/**
 * @param labels - names of what the objective needs beside the tokens. @defaultValue `labels`
 * @throws Problem if the value is not a batch, or the batch was consumed before
 */
export function checkFresh<B extends ObjectiveBatch>(batch: B, labels: readonly string[] = ['labels']): B {
  if (!isBatch(batch, ['inputIds', ...labels])) {
    throw problem('train', {
      what: 'among the batches is something else',
      got: batch,
      expected: `{ ${['inputIds', ...labels].join(', ')} }: ${labels.join() === 'labels' ? 'tensors int32 [batch, time], such as textBatches() makes' : 'tensors'}`,
    });
  }
  if (!tensorsOf(batch).some(({ isDisposed }) => isDisposed)) return batch;
  throw problem('train', {
    what: 'a batch comes again that was consumed and freed before',
    fix: 'make new tensors for every batch, as textBatches() does',
  });
}

function isBatch(given: unknown, names: readonly string[]): boolean {
  if (typeof given !== 'object' || given === null) return false;
  return names.every(name => (given as Record<string, unknown>)[name] instanceof tf.Tensor);
}

function tensorsOf(batch: ObjectiveBatch): tf.Tensor[] {
  return Object.values(batch as unknown as Record<string, unknown>).filter(
    (value): value is tf.Tensor => value instanceof tf.Tensor,
  );
}
