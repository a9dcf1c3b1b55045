import * as tf from '@tensorflow/tfjs';
import { isTrainable } from '../trainable.ts';
import { withGradient } from './withGradient.ts';

/** Options of {@link linear}. */
export interface LinearOptions {
  /** `[outFeatures]` */
  readonly bias?: tf.Tensor | undefined;
  /** How the weight lies in memory. @defaultValue 'outIn', the layout of `torch.nn.Linear`; GPT-2's Conv1D is 'inOut' */
  readonly layout?: 'outIn' | 'inOut';
}

/**
 * `x · Wᵀ + b`. A frozen weight takes no gradient and nothing is saved for it: the gradient of x is `dy · W`.
 *
 * @param x - `[…, inFeatures]`
 * @param weight - `[outFeatures, inFeatures]`, or the transpose with layout `'inOut'`
 * @returns `[…, outFeatures]`
 */
export function linear(x: tf.Tensor, weight: tf.Tensor, options: LinearOptions = {}): tf.Tensor {
  const { bias, layout = 'outIn' } = options;
  const transpose = layout === 'outIn';
  const inFeatures = x.shape.at(-1)!;
  const outFeatures = weight.shape[transpose ? 0 : 1]!;
  const rows = tf.reshape(x, [-1, inFeatures]);
  const product = isTrainable(weight)
    ? tf.matMul(rows, weight, false, transpose)
    : withGradient(
        [rows],
        () => tf.matMul(rows, weight, false, transpose),
        dy => [tf.matMul(dy, weight, false, !transpose)],
      );
  const sum = bias === undefined ? product : addBias(product, bias);
  return tf.reshape(sum, [...x.shape.slice(0, -1), outFeatures]);
}

function addBias(x: tf.Tensor, bias: tf.Tensor): tf.Tensor {
  if (isTrainable(bias)) return tf.add(x, bias);
  return withGradient(
    [x],
    () => tf.add(x, bias),
    dy => [dy.clone()],
  );
}
