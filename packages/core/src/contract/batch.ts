import type * as tf from '@tensorflow/tfjs';

/** A label that does not count. */
export const IGNORED_LABEL = -100;

/** A batch as in transformers: the loss shifts the labels by one and averages over those that count. */
export interface Batch {
  /** int32 `[batch, time]` */
  readonly inputIds: tf.Tensor;
  /**
   * int32 `[batch, time]`; {@link IGNORED_LABEL} where a position has none. The first counts only where an adapter puts virtual
   * tokens in front of it.
   */
  readonly labels: tf.Tensor;
  /** int32 `[batch, time]`, 1 = token, 0 = padding. @defaultValue all ones */
  readonly attentionMask?: tf.Tensor;
  /**
   * int32 `[batch, time]`: where each token stands in its text, for rows that hold several texts. Each begins at 0, and its
   * tokens see no token of another. @defaultValue every row is one text
   */
  readonly positions?: tf.Tensor;
}

/** An iteration over batches that knows where it is. */
export interface BatchIterator extends AsyncIterator<Batch, void, undefined> {
  /** Behind the batch that was given out last: JSON-safe, what {@link ResumableBatches.from} takes. */
  readonly position: unknown;
}

/**
 * Batches that a stopped run can go on with: `train` keeps the position in its checkpoints. Other batches are gone through
 * again from their start, up to where the run was.
 */
export interface ResumableBatches {
  /** Begins to give batches, from the position that it stands for. */
  [Symbol.asyncIterator](): BatchIterator;
  /** The batches from a position on, as they would have come without a stop. @throws Problem for a position that is none of these batches' */
  from(position: unknown): { [Symbol.asyncIterator](): BatchIterator };
}
