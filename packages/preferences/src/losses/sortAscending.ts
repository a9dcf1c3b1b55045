import * as tf from '@tensorflow/tfjs';
import { forwardOnly } from '@dropbp/core';

/**
 * Values in ascending order. The gradient goes back to where each value came from.
 *
 * @param values - float32 `[n]`
 * @returns `[n]`, which the caller owns
 */
export function sortAscending(values: tf.Tensor): tf.Tensor {
  const count = values.size;
  // tfjs's sorting has no gradient: the order is found outside the tape.
  const order = forwardOnly(() => tf.cast(tf.reverse(tf.topk(values, count).indices), 'int32'));
  return tf.gather(values, order);
}
