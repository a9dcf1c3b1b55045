import * as tf from '@tensorflow/tfjs';

/** What {@link ktoLoss} is made of. */
export interface RatedLogProbabilities {
  /** Sum over the tokens of each answer, by the model that is trained, `[rows]`. */
  readonly policy: tf.Tensor;
  /** The same by the reference, `[rows]`. */
  readonly reference: tf.Tensor;
  /** 1 where an answer is desirable, 0 where it is not, float32 `[rows]`. */
  readonly desirable: tf.Tensor;
  /** The estimate of the divergence from the reference, a scalar that carries no gradient: see {@link klEstimate}. */
  readonly kl: tf.Tensor;
}

/** Options of {@link ktoLoss}, named as in TRL. */
export interface KtoNumbers {
  /** How closely the model keeps to the reference. */
  readonly beta: number;
  /** The weight of desirable answers. */
  readonly desirableWeight: number;
  /** The weight of undesirable answers. */
  readonly undesirableWeight: number;
  /** `'apo_zero_unpaired'` leaves the divergence out. */
  readonly lossType: KtoLossType;
}

/** The losses of {@link ktoLoss}, by TRL's names. */
export type KtoLossType = 'kto' | 'apo_zero_unpaired';

/**
 * The mean divergence from the reference over mismatched answers, at least 0.
 *
 * @param policy - sums over the tokens of answers to other prompts, by the model that is trained, `[rows]`
 * @param reference - the same by the reference
 * @returns a scalar that the caller owns
 */
export function klEstimate(policy: tf.Tensor, reference: tf.Tensor): tf.Tensor {
  return tf.relu(tf.mean(tf.sub(policy, reference)));
}

/** What {@link ktoLoss} gives. The caller owns both. */
export interface KtoLoss {
  /** Mean over the rows, a scalar. */
  readonly loss: tf.Tensor;
  /** Of each row, `[rows]`. */
  readonly rewards: tf.Tensor;
}

/**
 * The loss of KTO, as TRL 1.16 computes it, with each row's reward.
 * Source: `_compute_loss` of TRL's `kto_trainer.py`; equation 7 of arXiv 2402.01306.
 */
export function ktoLoss(
  { policy, reference, desirable, kl }: RatedLogProbabilities,
  { beta, desirableWeight, undesirableWeight, lossType }: KtoNumbers,
): KtoLoss {
  const ratios = tf.sub(policy, reference);
  const margin = lossType === 'kto' ? tf.sub(ratios, kl) : ratios;
  const scaled = tf.mul(margin, beta);
  const undesirable = tf.sub(1, desirable);
  const good = tf.mul(tf.sigmoid(tf.neg(scaled)), tf.mul(desirable, desirableWeight));
  const bad = tf.mul(tf.sigmoid(scaled), tf.mul(undesirable, undesirableWeight));
  return { loss: tf.mean(tf.add(good, bad)), rewards: tf.mul(ratios, beta) };
}
