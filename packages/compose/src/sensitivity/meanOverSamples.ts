import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import { IGNORED_LABEL, type Batch } from '@dropbp/core';

/**
 * The mean of what is measured on the first sequences of a batch with a label that counts, each as a batch of one.
 *
 * @param samples - how many; all, where there are fewer
 * @throws Problem where no label counts
 */
export async function meanOverSamples(
  batch: Batch,
  samples: number,
  measure: (sample: Batch) => Promise<readonly number[]>,
): Promise<number[]> {
  const rows = (await rowsWithLabels(batch)).slice(0, samples);
  if (rows.length === 0) {
    throw problem('compose', { what: 'no label of the batch counts', fix: 'calibrate on a batch with labels' });
  }
  let mean: number[] = [];
  for (const row of rows) {
    const sample = rowOf(batch, row);
    const measured = await measure(sample).finally(() => tf.dispose(Object.values(sample) as tf.Tensor[]));
    mean = measured.map((value, i) => (mean[i] ?? 0) + value / rows.length);
  }
  return mean;
}

async function rowsWithLabels({ labels: { shape }, labels }: Batch): Promise<number[]> {
  const [count, time] = shape as [number, number];
  const values = await labels.data();
  const counts = (row: number): boolean =>
    values.slice(row * time + 1, (row + 1) * time).some(label => label !== IGNORED_LABEL);
  return Array.from({ length: count }, (_, row) => row).filter(counts);
}

function rowOf({ inputIds, labels, attentionMask, positions }: Batch, row: number): Batch {
  const only = (tensor: tf.Tensor): tf.Tensor => tf.slice(tensor, [row, 0], [1, tensor.shape[1]!]);
  return {
    inputIds: only(inputIds),
    labels: only(labels),
    ...(attentionMask !== undefined && { attentionMask: only(attentionMask) }),
    ...(positions !== undefined && { positions: only(positions) }),
  };
}
