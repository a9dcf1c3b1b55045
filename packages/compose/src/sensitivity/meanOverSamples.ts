import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import { countingRows, type Objective, type ObjectiveBatch, type Runnable } from '@dropbp/core';
import type { Peers } from '../tuned.ts';

/** What {@link meanOverSamples} takes beside the batch. */
export interface SampleOptions {
  /** How many; all, where there are fewer. */
  readonly samples: number;
  /** How many numbers are measured. */
  readonly length: number;
  /** Says which rows count, and which belong together. */
  readonly objective: Objective;
  readonly runnable: Runnable;
  /** Those that measure the rest of the samples. */
  readonly peers: Peers | undefined;
}

/**
 * The mean of what is measured on the first sequences of a batch with a label that counts, each as a batch of one. Rows of a group stay together. What is not finite stays so, in
 * every process, so that all of them hear of it.
 *
 * @throws Problem where no label counts
 */
export async function meanOverSamples(
  batch: ObjectiveBatch,
  { samples, length, objective, runnable, peers }: SampleOptions,
  measure: (sample: ObjectiveBatch) => Promise<readonly number[]>,
): Promise<number[]> {
  const groups = (await countingGroups(batch, objective, runnable)).slice(0, samples);
  if (groups.length === 0) {
    throw problem('compose', { what: 'no label of the batch counts', fix: 'calibrate on a batch with labels' });
  }
  const { rank, size } = peers ?? { rank: 0, size: 1 };
  const measured: ArrayLike<number>[] = groups.map(() => new Float32Array(length));
  for (let i = rank; i < groups.length; i += size) {
    const sample = sliceRows(batch, groups[i]!);
    measured[i] = await measure(sample).finally(() => tf.dispose(Object.values(sample) as tf.Tensor[]));
  }
  const all = size > 1 ? await sumOverPeers(measured, length, peers!) : measured;
  return Array.from({ length }, (_, i) => all.reduce((mean, values) => mean + values[i]! / groups.length, 0));
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

/** Rows of a batch, one behind the other. */
interface RowRange {
  readonly start: number;
  readonly count: number;
}

/** The groups with a row that counts. */
async function countingGroups(batch: ObjectiveBatch, objective: Objective, runnable: Runnable): Promise<RowRange[]> {
  const [rows] = batch.inputIds.shape as [number];
  const count = objective.readsWholeBatch === true ? rows : (objective.groupSize ?? 1);
  const counting = new Set((await countingRows(batch, objective, runnable)).map(row => Math.floor(row / count)));
  const all = Array.from({ length: Math.floor(rows / count) }, (_, group) => group);
  return all.filter(group => counting.has(group)).map(group => ({ start: group * count, count }));
}

function sliceRows(batch: ObjectiveBatch, { start, count }: RowRange): ObjectiveBatch {
  const slice = (tensor: tf.Tensor): tf.Tensor =>
    tf.slice(tensor, [start, ...tensor.shape.slice(1).map(() => 0)], [count, ...tensor.shape.slice(1)]);
  const entries = Object.entries(batch as unknown as Record<string, tf.Tensor | undefined>);
  return Object.fromEntries(
    entries.flatMap(([name, tensor]) => (tensor === undefined ? [] : [[name, slice(tensor)]])),
  ) as unknown as ObjectiveBatch;
}
