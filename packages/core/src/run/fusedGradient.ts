import * as tf from '@tensorflow/tfjs';
import { withGradient } from '../ops/withGradient.ts';

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
      const { value, gradients } = withOwnTape(() => {
        const { value, grads } = tf.engine().gradients(() => compute(inputs), tensors, undefined, true);
        return { value, gradients: grads };
      });
      save(names.map((name, i) => gradients[i] ?? tf.zerosLike(inputs[name]!)));
      return value;
    },
    (dy, gradients) => gradients.map(gradient => tf.mul(gradient, dy)),
  );
}

interface TapeState {
  activeTape: unknown;
  gradientDepth: number;
  kernelDepth: number;
}

function tapeState(): TapeState {
  return tf.engine().state;
}

function isRecording(): boolean {
  const { gradientDepth, kernelDepth } = tapeState();
  return gradientDepth > 0 && kernelDepth === 0;
}

/** Differentiates inside another pass: tfjs has one tape, which must not see this and must be found as it was. */
function withOwnTape<T>(run: () => T): T {
  const state = tapeState();
  const { activeTape, gradientDepth, kernelDepth } = state;
  Object.assign(state, { activeTape: null, gradientDepth: 0, kernelDepth: 0 });
  try {
    return run();
  } finally {
    Object.assign(state, { activeTape, gradientDepth, kernelDepth });
  }
}
