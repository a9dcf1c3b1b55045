import * as tf from '@tensorflow/tfjs';
import { withGradient } from '@dropbp/core';

/** The tensors of one adapted layer. */
export interface LoraTensors {
  /** `[rank, inFeatures]`, trainable. */
  readonly a: tf.Tensor;
  /** `[outFeatures, rank]`, trainable. */
  readonly b: tf.Tensor;
  /** A scalar. */
  readonly scaling: tf.Tensor;
  /** bool, of x's shape: true = kept by dropout. */
  readonly kept?: tf.Tensor | undefined;
}

/**
 * `base + scaling · dropout(x) · Aᵀ · Bᵀ`. Saves x and the narrow product with A, nothing as wide as the result.
 * Source: Hu et al., "LoRA", 2021.
 *
 * @param base - `[…, outFeatures]`, what the layer gives without the adapter
 * @param x - `[…, inFeatures]`
 * @param keepRate - 1 − dropout; kept entries are divided by it
 * @returns `[…, outFeatures]`
 */
export function loraLinear(base: tf.Tensor, x: tf.Tensor, tensors: LoraTensors, keepRate: number): tf.Tensor {
  const { a, b, scaling, kept } = tensors;
  const inFeatures = x.shape.at(-1)!;
  const outFeatures = base.shape.at(-1)!;
  const dropout = (values: tf.Tensor, mask: tf.Tensor | undefined): tf.Tensor =>
    mask === undefined ? values : tf.mul(tf.mul(values, tf.cast(mask, 'float32')), 1 / keepRate);
  const rows = (values: tf.Tensor, width: number): tf.Tensor => tf.reshape(values, [-1, width]);
  return withGradient(
    [base, x, a, b],
    save => {
      const narrow = tf.mul(tf.matMul(rows(dropout(x, kept), inFeatures), a, false, true), scaling);
      save([x, narrow, ...(kept === undefined ? [] : [kept])]);
      return tf.add(base, tf.reshape(tf.matMul(narrow, b, false, true), base.shape));
    },
    (dy, [x, narrow, mask], [isBaseWanted, isInputWanted]) => {
      const dRows = rows(dy, outFeatures);
      const dNarrow = tf.mul(tf.matMul(dRows, b), scaling);
      const dx = (): tf.Tensor => dropout(tf.reshape(tf.matMul(dNarrow, a), x!.shape), mask);
      const dA = tf.matMul(dNarrow, rows(dropout(x!, mask), inFeatures), true, false);
      return [
        isBaseWanted ? dy.clone() : undefined,
        isInputWanted ? dx() : undefined,
        dA,
        tf.matMul(dRows, narrow!, true, false),
      ];
    },
  );
}
