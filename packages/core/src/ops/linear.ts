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
  const trainsWeight = isTrainable(weight);
  const trainedBias = bias !== undefined && isTrainable(bias) ? [bias] : [];
  const inFeatures = x.shape.at(-1)!;
  const outFeatures = weight.shape[transpose ? 0 : 1]!;
  return withGradient(
    [x, ...(trainsWeight ? [weight] : []), ...trainedBias],
    save => {
      save(trainsWeight ? [x, weight] : []);
      const product = tf.matMul(tf.reshape(x, [-1, inFeatures]), weight, false, transpose);
      const sum = bias === undefined ? product : tf.add(product, bias);
      return tf.reshape(sum, [...x.shape.slice(0, -1), outFeatures]);
    },
    (dy, [input, saved], [isInputWanted]) => {
      const dRows = tf.reshape(dy, [-1, outFeatures]);
      const dx = (): tf.Tensor => tf.reshape(tf.matMul(dRows, saved ?? weight, false, !transpose), x.shape);
      return [
        isInputWanted ? dx() : undefined,
        ...(input === undefined ? [] : [weightGradient(tf.reshape(input, [-1, inFeatures]), dRows, transpose)]),
        ...trainedBias.map(() => tf.sum(dRows, 0)),
      ];
    },
  );
}

function weightGradient(rows: tf.Tensor, dRows: tf.Tensor, outIn: boolean): tf.Tensor {
  return outIn ? tf.matMul(dRows, rows, true, false) : tf.matMul(rows, dRows, true, false);
}
