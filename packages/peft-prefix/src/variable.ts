import * as tf from '@tensorflow/tfjs';
import type { SeededRandom } from '@dropbp/basics';

/** A trainable parameter. The caller owns it. */
export function variable(values: Float32Array, shape: readonly number[]): tf.Variable {
  const tensor = tf.tensor(values, [...shape]);
  const result = tf.variable(tensor);
  tensor.dispose();
  return result;
}

/** As torch starts an embedding: standard normal. */
export function normalValues(count: number, random: SeededRandom): Float32Array {
  return Float32Array.from({ length: count }, () => random.normal());
}

/** As torch starts a linear layer and its bias, of `bound` 1/√inFeatures: uniform within ±bound. */
export function uniformValues(count: number, bound: number, random: SeededRandom): Float32Array {
  return Float32Array.from({ length: count }, () => (2 * random() - 1) * bound);
}
