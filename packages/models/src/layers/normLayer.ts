import type * as tf from '@tensorflow/tfjs';
import { layerNorm, type Scope } from '@dropbp/core';

/**
 * A LayerNorm with its weight, and its bias where it has one, from the scope.
 *
 * @param name - the norm's name in the scope
 * @param x - `[…, width]`
 */
export function normLayer(name: string, x: tf.Tensor, p: Scope, epsilon: number): tf.Tensor {
  return layerNorm(x, p[`${name}.weight`]!, p[`${name}.bias`], epsilon);
}
