import * as tf from '@tensorflow/tfjs';
import { checkNumber, checkOptions } from '@dropbp/basics';
import {
  causal,
  labelledRows,
  rowLogProbabilities,
  rowsOfLabels,
  type LabelledRows,
  type Objective,
} from '@dropbp/core';
import type { PreferenceBatch } from '../data/preferenceBatches.ts';
import type { PairLoss } from '../losses/pairStatistics.ts';
import { orpoLoss, simpoLoss } from '../losses/referenceFree.ts';
import { labelCounts } from './answerLogProbabilities.ts';
import { isAboveZero, isShare, isWeight } from './numbers.ts';
import { checkAnswers, pairMetrics, splitPairs } from './pairs.ts';

/** Options of {@link simpo}, named as in TRL's `CPOConfig`. */
export interface SimpoOptions {
  /** The scale of the rewards, above 0. @defaultValue 2, as in the paper; TRL has 0.1 */
  readonly beta?: number;
  /** How far the reward of the chosen answer should lie above the other's. @defaultValue 0.5 */
  readonly simpoGamma?: number;
  /** The share of pairs whose labels are taken for swapped, from 0 to below 0.5. @defaultValue 0 */
  readonly labelSmoothing?: number;
  /** The weight of the cross-entropy on chosen answers. @defaultValue 0, which is SimPO; TRL has 1, which is CPO-SimPO */
  readonly cpoAlpha?: number;
}

/**
 * SimPO, arXiv 2405.14734, as TRL 1.16's `CPOTrainer` with `loss_type='simpo'` computes it. It needs no reference.
 *
 * @throws Problem for options that are not usable
 */
export function simpo(options: SimpoOptions = {}): Objective<PreferenceBatch> {
  checkOptions('preferences', 'simpo()', options, ['beta', 'simpoGamma', 'labelSmoothing', 'cpoAlpha']);
  const { beta = 2, simpoGamma = 0.5, labelSmoothing = 0, cpoAlpha = 0 } = options;
  checkNumber('preferences', 'beta', beta, isAboveZero);
  checkNumber('preferences', 'simpoGamma', simpoGamma, isWeight);
  checkNumber('preferences', 'labelSmoothing', labelSmoothing, isShare);
  checkNumber('preferences', 'cpoAlpha', cpoAlpha, isWeight);
  return {
    ...pairsWithoutReference('simpo'),
    prepare(_batch, _runnable, found) {
      const rows = found!;
      const counts = labelCounts(rows);
      checkAnswers(counts);
      const sums = { count: rows.batch, rows: rowsOfLabels(rows) };
      let outcome: PairLoss;
      return {
        weight: rows.batch / 2,
        loss(runnable, hidden, at) {
          const own = splitPairs(rowLogProbabilities(runnable, hidden, at!, sums));
          const tokens = splitPairs(tf.tensor1d(counts));
          const parts = { ...own, chosenTokens: tokens.chosen, rejectedTokens: tokens.rejected };
          outcome = simpoLoss(parts, { beta, simpoGamma, labelSmoothing, cpoAlpha });
          return outcome.loss as tf.Scalar;
        },
        metrics: () => pairMetrics(outcome),
      };
    },
  };
}

/** Options of {@link orpo}, named as in TRL's `ORPOConfig`. */
export interface OrpoOptions {
  /** The weight of the odds beside the cross-entropy, above 0: λ in the paper. @defaultValue 0.1 */
  readonly beta?: number;
}

/**
 * ORPO, arXiv 2403.07691, as TRL 1.16 computes it. It needs no reference. The cross-entropy counts the prompt of the chosen answer
 * too, so prompts are neither shared nor dropped there.
 *
 * @throws Problem for options that are not usable
 */
export function orpo(options: OrpoOptions = {}): Objective<PreferenceBatch> {
  checkOptions('preferences', 'orpo()', options, ['beta']);
  const { beta = 0.1 } = options;
  checkNumber('preferences', 'beta', beta, isAboveZero);
  return {
    ...pairsWithoutReference('orpo'),
    dividesTexts: false,
    labelledRows: (batch, { model, virtualTokens }) => labelPrompts(batch, model.vocabSize, virtualTokens),
    async prepare(batch, _runnable, found) {
      const rows = found!;
      const isAnswer = await findAnswers(batch, rows);
      const owners = rowsOfLabels(rows);
      const counts = new Float32Array(rows.batch);
      owners.forEach((row, i) => (counts[row]! += isAnswer[i]!));
      checkAnswers(counts);
      // Tokens of prompts go into a sum of their own.
      const sums = { count: rows.batch + 1, rows: owners.map((row, i) => (isAnswer[i] === 1 ? row : rows.batch)) };
      const learned = owners.filter(row => row % 2 === 0).length;
      let outcome: PairLoss;
      return {
        weight: rows.batch / 2,
        loss(runnable, hidden, at) {
          const all = rowLogProbabilities(runnable, hidden, at!, sums);
          const own = splitPairs(tf.slice(all, [0], [rows.batch]));
          const tokens = splitPairs(tf.tensor1d(counts));
          const prompts = tf.sum(tf.slice(all, [rows.batch], [1]));
          const crossEntropy = tf.neg(tf.div(tf.add(tf.sum(own.chosen), prompts), learned));
          const parts = { ...own, chosenTokens: tokens.chosen, rejectedTokens: tokens.rejected };
          outcome = orpoLoss(parts, crossEntropy, beta);
          return outcome.loss as tf.Scalar;
        },
        metrics: () => pairMetrics(outcome),
      };
    },
  };
}

function pairsWithoutReference(name: string): Objective<PreferenceBatch> {
  const optionalLabels = ['referenceLogProbabilities'];
  return { ...(causal() as Objective<PreferenceBatch>), name, unit: 'pairs', groupSize: 2, optionalLabels };
}

/** The labelled positions, with those of the prompts of chosen answers. */
async function labelPrompts(batch: PreferenceBatch, vocabSize: number, virtualTokens = 0): Promise<LabelledRows> {
  const { inputIds, labels, attentionMask } = batch;
  const [ids, own, mask] = await Promise.all([inputIds.data(), labels.data(), attentionMask.data()]);
  const time = inputIds.shape[1]!;
  const all = Int32Array.from(own);
  for (let place = 0; place < all.length; place++) {
    const isChosen = Math.floor(place / time) % 2 === 0;
    // In front of the first token nothing is predicted, with virtual tokens either.
    if (isChosen && mask[place] === 1 && place % time > 0) all[place] = ids[place]!;
  }
  const whole = tf.tensor2d(all, inputIds.shape as [number, number], 'int32');
  return labelledRows({ inputIds, labels: whole }, vocabSize, virtualTokens).finally(() => whole.dispose());
}

/** For each labelled position, 1 where it predicts a token of an answer. */
async function findAnswers({ labels }: PreferenceBatch, { positions, time }: LabelledRows): Promise<Uint8Array> {
  const own = await labels.data();
  const predicted = (position: number): number => (position < 0 ? (-1 - position) * time : position + 1);
  return Uint8Array.from(positions, position => (own[predicted(position)]! >= 0 ? 1 : 0));
}
