import * as tf from '@tensorflow/tfjs';
import { checkNumber, checkOptions, problem } from '@dropbp/basics';
import { causal, labelledRows, rowLogProbabilities, rowsOfLabels, type Objective, type Runnable } from '@dropbp/core';
import type { RatedBatch } from '../data/preferenceBatches.ts';
import { klEstimate, ktoLoss, type KtoLossType } from '../losses/ktoLoss.ts';
import { answerLogProbabilities, labelCounts, referenceLogProbabilities } from './answerLogProbabilities.ts';
import { isAboveZero, isWeight } from './numbers.ts';
import { checkAnswers } from './pairs.ts';

/** Options of {@link kto}, named as in TRL's `KTOConfig`. */
export interface KtoOptions {
  /** How closely the model keeps to the reference, above 0. @defaultValue 0.1 */
  readonly beta?: number;
  /** `'apo_zero_unpaired'` leaves the divergence out, and needs no pass for it. @defaultValue `'kto'` */
  readonly lossType?: KtoLossType;
  /** The weight of desirable answers. Raise it where they are few. @defaultValue 1 */
  readonly desirableWeight?: number;
  /** The weight of undesirable answers. @defaultValue 1 */
  readonly undesirableWeight?: number;
}

/**
 * Learns from answers that are rated one by one, arXiv 2402.01306, as TRL 1.16 does. How far the model has moved is estimated on
 * each prompt with the answer to another one. Several ranks estimate it on their own rows each.
 *
 * @throws Problem for options that are not usable
 */
export function kto(options: KtoOptions = {}): Objective<RatedBatch> {
  checkOptions('preferences', 'kto()', options, ['beta', 'lossType', 'desirableWeight', 'undesirableWeight']);
  const { beta = 0.1, lossType = 'kto', desirableWeight = 1, undesirableWeight = 1 } = options;
  checkNumber('preferences', 'beta', beta, isAboveZero);
  checkNumber('preferences', 'desirableWeight', desirableWeight, isWeight);
  checkNumber('preferences', 'undesirableWeight', undesirableWeight, isWeight);
  if (!['kto', 'apo_zero_unpaired'].includes(lossType)) {
    throw problem('preferences', { what: 'lossType is not usable', got: lossType, expected: 'kto, apo_zero_unpaired' });
  }
  const numbers = { beta, lossType, desirableWeight, undesirableWeight };
  return {
    ...(causal() as Objective<RatedBatch>),
    name: 'kto',
    unit: 'rows',
    labels: ['labels', 'desirable', 'mismatchedIds', 'mismatchedLabels', 'mismatchedMask'],
    optionalLabels: ['referenceLogProbabilities', 'mismatchedReference'],
    async prepare(batch, runnable, found) {
      const rows = found!;
      checkAnswers(labelCounts(rows));
      const given = await batch.referenceLogProbabilities?.data();
      const reference = given ?? (await referenceLogProbabilities(runnable, batch, rows));
      const kl = lossType === 'kto' ? await divergence(batch, runnable) : 0;
      const sums = { count: rows.batch, rows: rowsOfLabels(rows) };
      const { desirable } = batch;
      let rewards: tf.Tensor;
      return {
        weight: rows.batch,
        loss(ofPass, hidden, at) {
          const policy = rowLogProbabilities(ofPass, hidden, at!, sums);
          const rated = { policy, reference: tf.tensor1d(reference), desirable, kl: tf.scalar(kl) };
          const outcome = ktoLoss(rated, numbers);
          rewards = outcome.rewards;
          return outcome.loss as tf.Scalar;
        },
        metrics: () => ({ ...rewardMetrics(rewards, desirable), kl }),
      };
    },
  };
}

/** How far the model has moved, with nothing recorded and without dropout. */
async function divergence(batch: RatedBatch, runnable: Runnable): Promise<number> {
  const { mismatchedIds: inputIds, mismatchedLabels: labels, mismatchedMask: attentionMask } = batch;
  const inputs = { inputIds, attentionMask };
  const rows = await labelledRows({ inputIds, labels }, runnable.model.vocabSize, runnable.virtualTokens);
  const policy = await answerLogProbabilities(runnable, inputs, rows);
  const given = await batch.mismatchedReference?.data();
  const reference = given ?? (await referenceLogProbabilities(runnable, inputs, rows));
  const estimate = tf.tidy(() => klEstimate(tf.tensor1d(policy), tf.tensor1d(reference)));
  const [value] = await estimate.data().finally(() => estimate.dispose());
  return value!;
}

/** Rewards of each kind of answer, 0 where a batch has none of it; and how often their sign is right. */
function rewardMetrics(rewards: tf.Tensor, desirable: tf.Tensor): Readonly<Record<string, tf.Scalar>> {
  const undesirable = tf.sub(1, desirable);
  const meanOf = (weights: tf.Tensor): tf.Scalar =>
    tf.div(tf.sum(tf.mul(rewards, weights)), tf.maximum(tf.sum(weights), 1));
  const [chosen, rejected] = [meanOf(desirable), meanOf(undesirable)];
  const isRight = tf.greater(tf.mul(rewards, tf.sub(desirable, undesirable)), 0);
  return {
    'rewards/chosen': chosen,
    'rewards/rejected': rejected,
    'rewards/accuracies': tf.mean(tf.cast(isRight, 'float32')),
    'rewards/margins': tf.sub(chosen, rejected),
  };
}
