import * as tf from '@tensorflow/tfjs';
import { logSigmoid } from './logSigmoid.ts';
import { sortAscending } from './sortAscending.ts';
import type { PairLoss, ReferredLogProbabilities } from './pairStatistics.ts';

/** The numbers that the losses of {@link dpoLoss} read. */
export interface DpoNumbers {
  /** How closely the model keeps to the reference. */
  readonly beta: number;
  /** The share of pairs whose labels are taken for swapped. */
  readonly labelSmoothing: number;
  /** The temperature of `discopop`. */
  readonly discopopTau: number;
}

/** Ratios to the reference in logarithms, and what follows from them. All are `[pairs]`. */
interface Ratios {
  readonly chosen: tf.Tensor;
  readonly rejected: tf.Tensor;
  /** β · (chosen − rejected). */
  readonly scaled: tf.Tensor;
  readonly given: ReferredLogProbabilities;
}

type LossOfPairs = (ratios: Ratios, numbers: DpoNumbers) => tf.Tensor;

const { add, exp, mul, neg, relu, sigmoid, square, sub } = tf;

/** −log σ(x). */
const surprise = (x: tf.Tensor): tf.Tensor => neg(logSigmoid(x));

/** With the labels swapped in a share of the pairs. */
function smoothed(x: tf.Tensor, labelSmoothing: number): tf.Tensor {
  if (labelSmoothing === 0) return surprise(x);
  return add(mul(surprise(x), 1 - labelSmoothing), mul(surprise(neg(x)), labelSmoothing));
}

/** Difference of the ratios for each token: longer answers weigh no more. */
function meanDifference({ chosen, rejected, given }: Ratios): tf.Tensor {
  return sub(tf.div(chosen, given.chosenTokens), tf.div(rejected, given.rejectedTokens));
}

/** The losses of {@link dpoLoss}, by TRL's names. */
export type DpoLossType =
  | 'sigmoid'
  | 'sigmoid_norm'
  | 'hinge'
  | 'ipo'
  | 'robust'
  | 'exo_pair'
  | 'nca_pair'
  | 'bco_pair'
  | 'sppo_hard'
  | 'aot'
  | 'aot_unpaired'
  | 'apo_zero'
  | 'apo_down'
  | 'discopop'
  | 'sft';

/** Source: `_compute_loss` of TRL 1.16's `dpo_trainer.py`, whose comments name the papers. */
const losses: Readonly<Record<DpoLossType, LossOfPairs>> = {
  sigmoid: ({ scaled }) => surprise(scaled),
  sigmoid_norm: (ratios, { beta }) => surprise(mul(meanDifference(ratios), beta)),
  hinge: ({ scaled }) => relu(sub(1, scaled)),
  ipo: (ratios, { beta }) => square(sub(meanDifference(ratios), 1 / (2 * beta))),
  robust({ scaled }, { labelSmoothing }) {
    const clean = mul(surprise(scaled), 1 - labelSmoothing);
    return tf.div(sub(clean, mul(surprise(neg(scaled)), labelSmoothing)), 1 - 2 * labelSmoothing);
  },
  exo_pair({ scaled }, { labelSmoothing }) {
    const term = (x: tf.Tensor, share: number): tf.Tensor => mul(sigmoid(x), sub(logSigmoid(x), Math.log(share)));
    return add(term(scaled, 1 - labelSmoothing), term(neg(scaled), labelSmoothing));
  },
  nca_pair({ chosen, rejected }, { beta }) {
    const [good, bad] = [mul(chosen, beta), mul(rejected, beta)];
    return add(surprise(good), mul(add(surprise(neg(good)), surprise(neg(bad))), 0.5));
  },
  bco_pair: ({ chosen, rejected }, { beta }) => add(surprise(mul(chosen, beta)), surprise(mul(rejected, -beta))),
  sppo_hard: ({ chosen, rejected }, { beta }) =>
    add(square(sub(chosen, 0.5 / beta)), square(add(rejected, 0.5 / beta))),
  aot({ given }, { beta, labelSmoothing }) {
    const own = sortAscending(sub(given.chosen, given.rejected));
    const reference = sortAscending(sub(given.referenceChosen, given.referenceRejected));
    return smoothed(mul(sub(own, reference), beta), labelSmoothing);
  },
  aot_unpaired: ({ chosen, rejected }, { beta, labelSmoothing }) =>
    smoothed(mul(sub(sortAscending(chosen), sortAscending(rejected)), beta), labelSmoothing),
  apo_zero: ({ chosen, rejected }, { beta }) => add(sigmoid(mul(chosen, -beta)), sigmoid(mul(rejected, beta))),
  apo_down: ({ chosen, scaled }, { beta }) => add(sigmoid(mul(chosen, beta)), sigmoid(neg(scaled))),
  discopop({ scaled }, { discopopTau }) {
    const share = sigmoid(tf.div(scaled, discopopTau));
    return add(mul(surprise(scaled), sub(1, share)), mul(exp(neg(scaled)), share));
  },
  sft: ({ given }) => supervisedLoss(given),
};

/** The names of {@link DpoLossType}. */
export const dpoLossTypes: readonly DpoLossType[] = Object.keys(losses) as DpoLossType[];

/** Mean cross-entropy over all tokens of the chosen answers, a scalar. */
export function supervisedLoss({
  chosen,
  chosenTokens,
}: Pick<ReferredLogProbabilities, 'chosen' | 'chosenTokens'>): tf.Tensor {
  return neg(tf.div(tf.sum(chosen), tf.sum(chosenTokens)));
}

/**
 * A loss of DPO's kin, or several with their weights, as TRL 1.16 computes them. The caller owns the tensors of the result.
 *
 * @param weighted - each loss with its weight
 *
 * @example
 * ```ts
 * const { loss } = dpoLoss(logProbabilities, [['sigmoid', 1]], { beta: 0.1, labelSmoothing: 0, discopopTau: 0.05 });
 * ```
 */
export function dpoLoss(
  given: ReferredLogProbabilities,
  weighted: readonly (readonly [loss: DpoLossType, weight: number])[],
  numbers: DpoNumbers,
): PairLoss {
  const chosen = sub(given.chosen, given.referenceChosen);
  const rejected = sub(given.rejected, given.referenceRejected);
  const ratios: Ratios = { chosen, rejected, scaled: mul(sub(chosen, rejected), numbers.beta), given };
  const terms = weighted.map(([type, weight]) => mul(tf.mean(losses[type](ratios, numbers)), weight));
  return {
    loss: terms.reduce((total, term) => add(total, term)),
    chosenRewards: mul(chosen, numbers.beta),
    rejectedRewards: mul(rejected, numbers.beta),
  };
}
