import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import type { Batch } from '@dropbp/core';

/** Frees a batch's tensors. */
export function disposeBatch(batch: Batch): void {
  tf.dispose(Object.values(batch) as tf.Tensor[]);
}

/** @throws Problem for a batch that was consumed before */
export function checkFresh(batch: Batch): Batch {
  if (!batch.inputIds.isDisposed && !batch.labels.isDisposed) return batch;
  throw problem('train', {
    what: 'a batch comes again that was consumed and freed before',
    fix: 'make new tensors for every batch, as textBatches() does',
  });
}
