import type * as tf from '@tensorflow/tfjs';

/** What losses of pairs are made of. All are float32 `[pairs]`. */
export interface PairLogProbabilities {
  /** Sum over the tokens of the chosen answers, by the model that is trained. */
  readonly chosen: tf.Tensor;
  /** The same of the rejected answers. */
  readonly rejected: tf.Tensor;
  /** How many tokens each chosen answer has. */
  readonly chosenTokens: tf.Tensor;
  /** How many tokens each rejected answer has. */
  readonly rejectedTokens: tf.Tensor;
}

/** The same, with those of the reference: the model before it was trained. */
export interface ReferredLogProbabilities extends PairLogProbabilities {
  /** {@link PairLogProbabilities.chosen} by the reference. */
  readonly referenceChosen: tf.Tensor;
  /** {@link PairLogProbabilities.rejected} by the reference. */
  readonly referenceRejected: tf.Tensor;
}

/** What a loss of pairs gives. */
export interface PairLoss {
  /** The mean over the pairs, a scalar. */
  readonly loss: tf.Tensor;
  /** Rewards of the chosen answers, `[pairs]`, as TRL logs them. */
  readonly chosenRewards: tf.Tensor;
  /** Rewards of the rejected answers, `[pairs]`. */
  readonly rejectedRewards: tf.Tensor;
}
