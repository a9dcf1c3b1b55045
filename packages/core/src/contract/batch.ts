import type * as tf from '@tensorflow/tfjs';

/** A label that does not count. */
export const IGNORED_LABEL = -100;

/** A batch as in transformers: the loss shifts the labels by one and averages over those that count. */
export interface Batch {
  /** int32 `[batch, time]` */
  readonly inputIds: tf.Tensor;
  /** int32 `[batch, time]`; {@link IGNORED_LABEL} where a position has none. */
  readonly labels: tf.Tensor;
  /** int32 `[batch, time]`, 1 = token, 0 = padding. @defaultValue all ones */
  readonly attentionMask?: tf.Tensor;
}
