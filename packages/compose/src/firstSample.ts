import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import { IGNORED_LABEL, type Batch } from '@dropbp/core';

/** The first sequence of a batch with a label that counts, as a batch of one. The caller owns its tensors. */
export async function firstSample(batch: Batch): Promise<Batch> {
  const [count, time] = batch.labels.shape as [number, number];
  const labels = await batch.labels.data();
  for (let row = 0; row < count; row++) {
    if (labels.slice(row * time + 1, (row + 1) * time).every(label => label === IGNORED_LABEL)) continue;
    const only = (tensor: tf.Tensor): tf.Tensor => tf.slice(tensor, [row, 0], [1, time]);
    const { inputIds, attentionMask } = batch;
    return {
      inputIds: only(inputIds),
      labels: only(batch.labels),
      ...(attentionMask !== undefined && { attentionMask: only(attentionMask) }),
    };
  }
  throw problem('compose', { what: 'no label of the batch counts', fix: 'calibrate on a batch with labels' });
}
