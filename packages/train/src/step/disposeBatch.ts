import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import type { Batch } from '@dropbp/core';

/** Frees a batch's tensors. */
export function disposeBatch(batch: Batch): void {
  tf.dispose(Object.values(batch) as tf.Tensor[]);
}

/** @throws Problem for what is no batch, and for one that was consumed before */
export function checkFresh(batch: Batch): Batch {
  if (!isBatch(batch)) {
    throw problem('train', {
      what: 'among the batches is something else',
      got: batch,
      expected: '{ inputIds, labels }: tensors int32 [batch, time], such as textBatches() makes',
    });
  }
  if (!batch.inputIds.isDisposed && !batch.labels.isDisposed) return batch;
  throw problem('train', {
    what: 'a batch comes again that was consumed and freed before',
    fix: 'make new tensors for every batch, as textBatches() does',
  });
}

function isBatch(given: unknown): given is Batch {
  if (typeof given !== 'object' || given === null || !('inputIds' in given) || !('labels' in given)) return false;
  return given.inputIds instanceof tf.Tensor && given.labels instanceof tf.Tensor;
}
