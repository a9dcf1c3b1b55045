import * as tf from '@tensorflow/tfjs';
import { isTrainable } from '../trainable.ts';
import { sumRows } from './rows.ts';
import { withGradient } from './withGradient.ts';

/**
 * `x · (w + offset) / √(mean(x²) + ε)`. Saves x and one number per row.
 * Source: Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019.
 *
 * @param x - `[…, width]`
 * @param weight - `[width]`
 * @param offset - 1 where a weight of 0 changes nothing, as in Gemma. @defaultValue 0
 */
export function rmsNorm(x: tf.Tensor, weight: tf.Tensor, epsilon: number, offset: 0 | 1 = 0): tf.Tensor {
  const trains = isTrainable(weight);
  const factor = (w: tf.Tensor): tf.Tensor => (offset === 0 ? w : tf.add(w, offset));
  return withGradient(
    trains ? [x, weight] : [x],
    save => {
      const scale = tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), epsilon));
      save([x, scale, weight]);
      return tf.mul(tf.mul(x, scale), factor(weight));
    },
    (dy, [x, scale, weight], [isInputWanted]) => {
      const dx = (): tf.Tensor => {
        const dNormal = tf.mul(dy, factor(weight!));
        // One number a row, so that x need not be normalised again.
        const parallel = tf.mul(tf.mean(tf.mul(dNormal, x!), -1, true), tf.pow(scale!, 3));
        return tf.sub(tf.mul(dNormal, scale!), tf.mul(x!, parallel));
      };
      return [isInputWanted ? dx() : undefined, ...(trains ? [sumRows(tf.mul(dy, tf.mul(x!, scale!)))] : [])];
    },
  );
}

/**
 * `(x − mean) · w / √(variance + ε) + b`. Saves x and two numbers per row.
 * Source: Ba, Kiros and Hinton, "Layer Normalization", 2016.
 *
 * @param x - `[…, width]`
 * @param weight - `[width]`
 * @param bias - `[width]`; undefined for none
 */
export function layerNorm(x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor | undefined, epsilon: number): tf.Tensor {
  const trainsWeight = isTrainable(weight);
  const trainedBias = bias !== undefined && isTrainable(bias) ? [bias] : [];
  return withGradient(
    [x, ...(trainsWeight ? [weight] : []), ...trainedBias],
    save => {
      const mean = tf.mean(x, -1, true);
      const centred = tf.sub(x, mean);
      const scale = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), epsilon));
      save([x, mean, scale, weight]);
      const scaled = tf.mul(tf.mul(centred, scale), weight);
      return bias === undefined ? scaled : tf.add(scaled, bias);
    },
    (dy, [x, mean, scale, weight], [isInputWanted]) => {
      const normal = tf.mul(tf.sub(x!, mean!), scale!);
      const dx = (): tf.Tensor => {
        const dNormal = tf.mul(dy, weight!);
        const parallel = tf.mul(normal, tf.mean(tf.mul(dNormal, normal), -1, true));
        return tf.mul(scale!, tf.sub(tf.sub(dNormal, tf.mean(dNormal, -1, true)), parallel));
      };
      return [
        isInputWanted ? dx() : undefined,
        ...(trainsWeight ? [sumRows(tf.mul(dy, normal))] : []),
        ...trainedBias.map(() => sumRows(dy)),
      ];
    },
  );
}
