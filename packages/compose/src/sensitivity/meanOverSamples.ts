import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import { IGNORED_LABEL, type Batch } from '@dropbp/core';
import type { Peers } from '../tuned.ts';

/** What {@link meanOverSamples} takes beside the batch. */
export interface SampleOptions {
  /** How many; all, where there are fewer. */
  readonly samples: number;
  /** How many numbers are measured. */
  readonly length: number;
  /** Tokens of an adapter's in front of each sequence: they predict its first one, whose label then counts. */
  readonly virtualTokens: number | undefined;
  /** Those that measure the rest of the samples. */
  readonly peers: Peers | undefined;
}

/**
 * The mean of what is measured on the first sequences of a batch with a label that counts, each as a batch of one. What is not finite stays so, in
 * every process, so that all of them hear of it.
 *
 * @throws Problem where no label counts
 */
export async function meanOverSamples(
  batch: Batch,
  { samples, length, virtualTokens = 0, peers }: SampleOptions,
  measure: (sample: Batch) => Promise<readonly number[]>,
): Promise<number[]> {
  const rows = (await rowsWithLabels(batch, virtualTokens > 0 ? 0 : 1)).slice(0, samples);
  if (rows.length === 0) {
    throw problem('compose', { what: 'no label of the batch counts', fix: 'calibrate on a batch with labels' });
  }
  const { rank, size } = peers ?? { rank: 0, size: 1 };
  const measured: ArrayLike<number>[] = rows.map(() => new Float32Array(length));
  for (let i = rank; i < rows.length; i += size) {
    const sample = rowOf(batch, rows[i]!);
    measured[i] = await measure(sample).finally(() => tf.dispose(Object.values(sample) as tf.Tensor[]));
  }
  const all = size > 1 ? await sumOverPeers(measured, length, peers!) : measured;
  return Array.from({ length }, (_, i) => all.reduce((mean, values) => mean + values[i]! / rows.length, 0));
}

/** What each process has measured, together: the others have zeros in its place. */
async function sumOverPeers(
  measured: readonly ArrayLike<number>[],
  length: number,
  peers: Peers,
): Promise<Float32Array[]> {
  const flat = Float32Array.from(measured.flatMap(values => Array.from(values)));
  await peers.allReduceSum(flat);
  return measured.map((_, i) => flat.subarray(i * length, (i + 1) * length));
}

/** @param first - the column of the first label that can count */
async function rowsWithLabels({ labels: { shape }, labels }: Batch, first: number): Promise<number[]> {
  const [count, time] = shape as [number, number];
  const values = await labels.data();
  const counts = (row: number): boolean =>
    values.slice(row * time + first, (row + 1) * time).some(label => label !== IGNORED_LABEL);
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
