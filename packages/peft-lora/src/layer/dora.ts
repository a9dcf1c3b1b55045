import * as tf from '@tensorflow/tfjs';
import { sumRows, withGradient } from '@dropbp/core';

/** What {@link doraNorms} reads. */
export interface DoraNormInputs {
  /** `[out]`: the squared norm of each output's weights, without the adapter. */
  readonly squares: tf.Tensor;
  /** `[rank, in]` */
  readonly a: tf.Tensor;
  /** `[out, rank]` */
  readonly b: tf.Tensor;
  /** A scalar. */
  readonly scaling: tf.Tensor;
  /** `[rank, out]`: each row of A through the layer without its bias. */
  readonly throughBase: tf.Tensor;
}

/**
 * The norm of each output's weights with the adapter, `‖W + scaling · B · A‖` by row, `[out]`. W + B · A, which is as large as
 * the weight, is never made: `‖w + s·b·A‖² = ‖w‖² + 2s·b·(A·w) + s²·b·(A·Aᵀ)·b`. To be run with nothing recorded: DoRA's gradient
 * takes the norms for constant.
 *
 * Source: Liu et al., "DoRA: Weight-Decomposed Low-Rank Adaptation", 2024, section 4.3.
 */
export function doraNorms({ squares, a, b, scaling, throughBase }: DoraNormInputs): tf.Tensor {
  const up = tf.mul(b, scaling);
  const mixed = tf.mul(tf.sum(tf.mul(up, tf.transpose(throughBase)), 1), 2);
  const own = tf.sum(tf.mul(tf.matMul(up, tf.matMul(a, a, false, true)), up), 1);
  return tf.sqrt(tf.relu(tf.add(squares, tf.add(mixed, own))));
}

/** What {@link rescale} reads. All but the norms take a gradient, the bias if it is trained. */
export interface RescaleInputs {
  /** `[…, out]`: what the layer gives without the adapter. */
  readonly base: tf.Tensor;
  /** The same of the input that dropout has thinned. @defaultValue base */
  readonly thinned?: tf.Tensor | undefined;
  /** `[…, out]`: the low-rank change. */
  readonly change: tf.Tensor;
  /** `[out]` */
  readonly magnitude: tf.Tensor;
  /** `[out]` */
  readonly norms: tf.Tensor;
  /** `[out]`: of the layer, already in `base`; it is not scaled. */
  readonly bias?: tf.Tensor | undefined;
  readonly trainsBias?: boolean;
}

/**
 * DoRA: `base + (g − 1) · (thinned − bias) + g · change` with `g = magnitude / norms`: each output's weights get the length of
 * its magnitude. Saves one tensor as wide as the result.
 *
 * Source: Liu et al., "DoRA", 2024, and PEFT 0.21, `tuners/lora/dora.py`.
 */
export function rescale(inputs: RescaleInputs): tf.Tensor {
  const { base, thinned, change, magnitude, norms, bias, trainsBias = false } = inputs;
  return withGradient(
    [change, magnitude, base, ...(trainsBias ? [bias!] : []), ...(thinned === undefined ? [] : [thinned])],
    save => {
      const scaled = thinned ?? base;
      const linear = bias === undefined ? scaled : tf.sub(scaled, bias);
      const factor = tf.div(magnitude, norms);
      save([tf.add(linear, change), factor, norms]);
      return tf.add(tf.add(base, tf.mul(linear, tf.sub(factor, 1))), tf.mul(change, factor));
    },
    (dy, [adapted, factor, norms], [, , isBaseWanted]) => {
      const dChange = tf.mul(dy, factor!);
      const dLinear = (): tf.Tensor => tf.mul(dy, tf.sub(factor!, 1));
      const dBase = (): tf.Tensor => (thinned === undefined ? dChange.clone() : dy.clone());
      return [
        dChange,
        tf.div(sumRows(tf.mul(dy, adapted!)), norms!),
        isBaseWanted ? dBase() : undefined,
        ...(trainsBias ? [tf.neg(sumRows(dLinear()))] : []),
        ...(thinned === undefined ? [] : [dLinear()]),
      ];
    },
  );
}
