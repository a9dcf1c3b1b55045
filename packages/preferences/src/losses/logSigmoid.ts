import * as tf from '@tensorflow/tfjs';

/** log σ(x). tfjs's own reads x in its backward pass without keeping it. */
export function logSigmoid(x: tf.Tensor): tf.Tensor {
  return tf.neg(tf.softplus(tf.neg(x)));
}
