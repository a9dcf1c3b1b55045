import * as tf from '@tensorflow/tfjs';
import { logSigmoid } from './logSigmoid.ts';
import { supervisedLoss } from './dpoLoss.ts';
import type { PairLogProbabilities, PairLoss } from './pairStatistics.ts';

/** Options of {@link simpoLoss}, named as in TRL's `CPOConfig`. */
export interface SimpoNumbers {
  /** The scale of the rewards. */
  readonly beta: number;
  /** How far the reward of the chosen answer should lie above the other's. */
  readonly simpoGamma: number;
  /** The share of pairs whose labels are taken for swapped. */
  readonly labelSmoothing: number;
  /** The weight of the cross-entropy on chosen answers. */
  readonly cpoAlpha: number;
}

/**
 * The loss of SimPO, with rewards that are means over tokens. The caller owns the tensors of the result.
 * Source: `cpo_loss` of TRL 1.16's `cpo_trainer.py`; equation 6 of arXiv 2405.14734.
 */
export function simpoLoss(
  given: PairLogProbabilities,
  { beta, simpoGamma, labelSmoothing, cpoAlpha }: SimpoNumbers,
): PairLoss {
  const { chosen, rejected } = meansOverTokens(given);
  const margin = tf.sub(tf.mul(tf.sub(chosen, rejected), beta), simpoGamma);
  const right = tf.mul(logSigmoid(margin), 1 - labelSmoothing);
  const preference = tf.neg(
    tf.mean(labelSmoothing === 0 ? right : tf.add(right, tf.mul(logSigmoid(tf.neg(margin)), labelSmoothing))),
  );
  const loss = cpoAlpha === 0 ? preference : tf.add(preference, tf.mul(supervisedLoss(given), cpoAlpha));
  return { loss, chosenRewards: tf.mul(chosen, beta), rejectedRewards: tf.mul(rejected, beta) };
}

/**
 * The loss of ORPO: cross-entropy, and the odds of the chosen answer beside those of the rejected one. The caller owns the
 * tensors of the result. Source: `odds_ratio_loss` of TRL 1.16's `orpo_trainer.py`; equations 4 and 7 of arXiv 2403.07691.
 *
 * @param crossEntropy - the mean over the tokens that are learned, a scalar
 * @param beta - the weight of the odds, λ in the paper
 */
export function orpoLoss(given: PairLogProbabilities, crossEntropy: tf.Tensor, beta: number): PairLoss {
  const { chosen, rejected } = meansOverTokens(given);
  const logOdds = tf.sub(tf.sub(chosen, rejected), tf.sub(logOfRest(chosen), logOfRest(rejected)));
  return {
    loss: tf.sub(crossEntropy, tf.mul(tf.mean(logSigmoid(logOdds)), beta)),
    chosenRewards: tf.mul(chosen, beta),
    rejectedRewards: tf.mul(rejected, beta),
  };
}

function meansOverTokens(given: PairLogProbabilities): Pick<PairLogProbabilities, 'chosen' | 'rejected'> {
  return {
    chosen: tf.div(given.chosen, given.chosenTokens),
    rejected: tf.div(given.rejected, given.rejectedTokens),
  };
}

/** log(1 − eˣ), of x below 0. */
function logOfRest(x: tf.Tensor): tf.Tensor {
  return tf.log(tf.neg(tf.expm1(x)));
}
