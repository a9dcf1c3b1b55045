import * as tf from '@tensorflow/tfjs';
import { sumRows, withGradient } from '@dropbp/core';

/**
 * `x · factors`, each entry of the last axis by its own. Saves both.
 *
 * @param x - `[…, width]`
 * @param factors - `width` of them in any shape, trainable
 */
export function scale(x: tf.Tensor, factors: tf.Tensor): tf.Tensor {
  const width = x.shape.at(-1)!;
  return withGradient(
    [x, factors],
    save => {
      save([x, factors]);
      return tf.mul(x, tf.reshape(factors, [width]));
    },
    (dy, [x, factors]) => [
      tf.mul(dy, tf.reshape(factors!, [width])),
      tf.reshape(sumRows(tf.mul(dy, x!)), factors!.shape),
    ],
  );
}
