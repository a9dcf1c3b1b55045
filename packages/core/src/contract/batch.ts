import type * as tf from '@tensorflow/tfjs';

/** A label that does not count. */
export const IGNORED_LABEL = -100;

/**
 * The tensors of a batch, each with a row for every sequence: what the model reads, and what an objective compares it with. A type
 * of your own extends this one by the names of your objective.
 */
export interface ObjectiveBatch {
  /** int32 `[batch, time]` */
  readonly inputIds: tf.Tensor;
  /** int32 `[batch, time]`, 1 = token, 0 = padding. @defaultValue all ones */
  readonly attentionMask?: tf.Tensor;
  /**
   * int32 `[batch, time]`: where each token stands in its text, for rows that hold several texts. Each begins at 0, and its
   * tokens see no token of another. @defaultValue every row is one text
   */
  readonly positions?: tf.Tensor;
  /** int32 `[batch, time]`: which part of a pair each token belongs to. @defaultValue all are of type 0 */
  readonly tokenTypes?: tf.Tensor;
  /** What most objectives compare with, of the shape that the objective wants. */
  readonly labels?: tf.Tensor;
}

/** A batch as in transformers: the loss shifts the labels by one and averages over those that count. */
export interface Batch extends ObjectiveBatch {
  /**
   * int32 `[batch, time]`; {@link IGNORED_LABEL} where a position has none. The first counts only where an adapter puts virtual
   * tokens in front of it.
   */
  readonly labels: tf.Tensor;
}

/** An iteration over batches that knows where it is. */
export interface BatchIterator<B extends ObjectiveBatch = Batch> extends AsyncIterator<B, void, undefined> {
  /** Behind the batch that was given out last: JSON-safe, what {@link ResumableBatches.from} takes. */
  readonly position: unknown;
}

/**
 * Batches that a stopped run can go on with: `train` keeps the position in its checkpoints. Other batches are gone through
 * again from their start, up to where the run was.
 */
export interface ResumableBatches<B extends ObjectiveBatch = Batch> {
  /** Begins to give batches, from the position that it stands for. */
  [Symbol.asyncIterator](): BatchIterator<B>;
  /** The batches from a position on, as they would have come without a stop. @throws Problem for a position that is none of these batches' */
  from(position: unknown): { [Symbol.asyncIterator](): BatchIterator<B> };
}
