import * as tf from '@tensorflow/tfjs';
import { withGradient } from '@dropbp/core';

/** The tensors of one adapted linear layer. */
export interface LowRankTensors {
  /** `[rank, inFeatures]`, trainable. */
  readonly a: tf.Tensor;
  /** `[outFeatures, rank]`, trainable. */
  readonly b: tf.Tensor;
  /** `[outFeatures]`, trainable: added to the product with B. */
  readonly bias?: tf.Tensor | undefined;
  /** A scalar. */
  readonly scaling: tf.Tensor;
  /** bool, of x's shape: true = kept by dropout. */
  readonly kept?: tf.Tensor | undefined;
}

/**
 * `scaling · (dropout(x) · Aᵀ · Bᵀ + bias)`. Saves x and the narrow product with A, nothing as wide as the result.
 * Source: Hu et al., "LoRA", 2021.
 *
 * @param x - `[…, inFeatures]`
 * @param keepRate - 1 − dropout; kept entries are divided by it
 * @returns `[…, outFeatures]`
 */
export function lowRank(x: tf.Tensor, tensors: LowRankTensors, keepRate: number): tf.Tensor {
  const { a, b, bias, scaling, kept } = tensors;
  const inFeatures = x.shape.at(-1)!;
  const outFeatures = b.shape[0];
  const input = (values: tf.Tensor, mask: tf.Tensor | undefined): tf.Tensor =>
    tf.reshape(mask === undefined ? values : maskEntries(values, mask, keepRate), [-1, inFeatures]);
  return withGradient(
    [x, a, b, ...(bias === undefined ? [] : [bias])],
    save => {
      const narrow = tf.mul(tf.matMul(input(x, kept), a, false, true), scaling);
      save([x, narrow, ...(kept === undefined ? [] : [kept])]);
      const wide = tf.matMul(narrow, b, false, true);
      const sum = bias === undefined ? wide : tf.add(wide, tf.mul(bias, scaling));
      return tf.reshape(sum, [...x.shape.slice(0, -1), outFeatures]);
    },
    (dy, [x, narrow, mask], [isInputWanted]) => {
      const dRows = tf.reshape(dy, [-1, outFeatures]);
      const dNarrow = tf.mul(tf.matMul(dRows, b), scaling);
      const dx = (): tf.Tensor => {
        const dInput = tf.reshape(tf.matMul(dNarrow, a), x!.shape);
        return mask === undefined ? dInput : maskEntries(dInput, mask, keepRate);
      };
      return [
        isInputWanted ? dx() : undefined,
        tf.matMul(dNarrow, input(x!, mask), true, false),
        tf.matMul(dRows, narrow!, true, false),
        ...(bias === undefined ? [] : [tf.mul(tf.sum(dRows, 0), scaling)]),
      ];
    },
  );
}

/**
 * x with the entries that dropout keeps divided by the share of them, the others zero. Saves the mask alone.
 *
 * @param kept - of x's shape, true or 1 = kept
 */
export function dropEntries(x: tf.Tensor, kept: tf.Tensor, keepRate: number): tf.Tensor {
  return withGradient(
    [x],
    save => {
      save([kept]);
      return maskEntries(x, kept, keepRate);
    },
    (dy, [mask]) => [maskEntries(dy, mask!, keepRate)],
  );
}

function maskEntries(values: tf.Tensor, mask: tf.Tensor, keepRate: number): tf.Tensor {
  return tf.mul(tf.mul(values, tf.cast(mask, 'float32')), 1 / keepRate);
}
