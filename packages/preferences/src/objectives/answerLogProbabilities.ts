import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import {
  plainRunnable,
  rowLogProbabilities,
  rowsOfLabels,
  runPass,
  type LabelledRows,
  type ObjectiveBatch,
  type Runnable,
} from '@dropbp/core';

/** What is run to find log-probabilities. */
type Inputs = Pick<ObjectiveBatch, 'inputIds' | 'attentionMask' | 'positions'>;

/** The sum of the log-probabilities of each row's labels, by one forward pass with nothing recorded. */
export async function answerLogProbabilities(
  runnable: Runnable,
  { inputIds, attentionMask, positions }: Inputs,
  rows: LabelledRows,
): Promise<Float32Array> {
  const sums = tf.tidy(() =>
    rowLogProbabilities(runnable, runPass(runnable, { inputIds, attentionMask, positions }), rows),
  );
  return (await sums.data().finally(() => sums.dispose())) as Float32Array;
}

/**
 * The same by the model without its adapter.
 *
 * @throws Problem where the model's own weights are gone
 */
export async function referenceLogProbabilities(
  { model }: Runnable,
  inputs: Inputs,
  rows: LabelledRows,
): Promise<Float32Array> {
  if ([...model.parameters.values()].some(weight => weight.isDisposed)) {
    throw problem('preferences', {
      what: 'the weights of the reference are gone, as training has taken them over',
      expected: 'log-probabilities that were computed before training',
      fix: 'precomputeReference(batches, model) before compose(), or train an adapter such as lora()',
    });
  }
  return answerLogProbabilities(plainRunnable(model), inputs, withoutVirtual(rows));
}

/** Without the virtual tokens, as the plain model has none. */
function withoutVirtual(rows: LabelledRows): LabelledRows {
  if (rows.positions.every(position => position >= 0)) return rows;
  const own = Array.from(rows.positions.keys()).filter(i => rows.positions[i]! >= 0);
  const take = (values: Int32Array): Int32Array => Int32Array.from(own, i => values[i]!);
  return { ...rows, positions: take(rows.positions), labels: take(rows.labels) };
}

/** How many labels each row has. */
export function labelCounts(rows: LabelledRows): Float32Array {
  const counts = new Float32Array(rows.batch);
  for (const row of rowsOfLabels(rows)) counts[row]!++;
  return counts;
}
