import * as tf from '@tensorflow/tfjs';
import { withGradient } from '../ops/withGradient.ts';
import { isRecording, withoutTape } from './ownTape.ts';

/**
 * A scalar function whose gradients are computed together with its value and only scaled in the backward pass, so that
 * nothing of its inside is kept in between.
 *
 * @param compute - a scalar of the inputs; tensors that it captures take no gradient
 */
export function fusedGradient(
  compute: (inputs: Readonly<Record<string, tf.Tensor>>) => tf.Tensor,
  inputs: Readonly<Record<string, tf.Tensor>>,
): tf.Tensor {
  if (!isRecording()) return tf.tidy(() => compute(inputs));
  const names = Object.keys(inputs);
  const tensors = Object.values(inputs);
  return withGradient(
    tensors,
    save => {
      const { value, gradients } = withoutTape(() => {
        const { value, grads } = tf.engine().gradients(() => compute(inputs), tensors, undefined, true);
        return { value, gradients: grads };
      });
      save(names.map((name, i) => gradients[i] ?? tf.zerosLike(inputs[name]!)));
      return value;
    },
    (dy, gradients) => gradients.map(gradient => tf.mul(gradient, dy)),
  );
}
