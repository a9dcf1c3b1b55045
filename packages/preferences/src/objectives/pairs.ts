import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import { takeRows } from '@dropbp/core';
import type { PairLoss } from '../losses/pairStatistics.ts';

/** Values of rows in which chosen and rejected answers take turns, `[2 · pairs]`, as two tensors `[pairs]`. */
export function splitPairs(values: tf.Tensor): { readonly chosen: tf.Tensor; readonly rejected: tf.Tensor } {
  const pairs = values.size / 2;
  const column = tf.reshape(values, [values.size, 1]);
  const every = (first: 0 | 1): tf.Tensor =>
    tf.reshape(
      takeRows(
        column,
        Int32Array.from({ length: pairs }, (_, i) => 2 * i + first),
      ),
      [pairs],
    );
  return { chosen: every(0), rejected: every(1) };
}

/** The numbers that TRL logs of pairs, under its names. */
export function pairMetrics({ chosenRewards, rejectedRewards }: PairLoss): Readonly<Record<string, tf.Scalar>> {
  return {
    'rewards/chosen': tf.mean(chosenRewards),
    'rewards/rejected': tf.mean(rejectedRewards),
    'rewards/accuracies': tf.mean(tf.cast(tf.greater(chosenRewards, rejectedRewards), 'float32')),
    'rewards/margins': tf.mean(tf.sub(chosenRewards, rejectedRewards)),
  };
}

/** @throws Problem where the tokens of an answer lack labels */
export function checkAnswers(counts: Float32Array): void {
  const empty = counts.indexOf(0);
  if (empty < 0) return;
  throw problem('preferences', {
    what: `row ${empty} of the batch has an answer without labels`,
    expected: 'labels for the tokens of every answer, the rows of a pair next to each other',
    fix: 'make batches with preferenceBatches()',
  });
}
