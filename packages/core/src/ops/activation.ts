import * as tf from '@tensorflow/tfjs';
import { withGradient } from './withGradient.ts';

/** The non-linearity of an MLP, named by its formula. */
export type Activation = 'silu' | 'gelu' | 'geluTanh' | 'relu';

interface Formula {
  readonly value: () => tf.Tensor;
  /** d value / dx. */
  readonly slope: () => tf.Tensor;
}

const GELU_TANH = Math.sqrt(2 / Math.PI);

/** Each at an x: what value and slope share is computed once. */
const formulas: Readonly<Record<Activation, (x: tf.Tensor) => Formula>> = {
  silu: x => {
    const s = tf.sigmoid(x);
    return {
      value: () => tf.mul(x, s),
      slope: () => tf.mul(s, tf.add(tf.mul(tf.sub(1, s), x), 1)),
    };
  },
  gelu: x => {
    const cdf = tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5);
    return {
      value: () => tf.mul(x, cdf),
      slope: () => {
        const pdf = tf.mul(tf.exp(tf.mul(tf.square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
        return tf.add(cdf, tf.mul(x, pdf));
      },
    };
  },
  geluTanh: x => {
    const t = tf.tanh(tf.mul(tf.mul(x, tf.add(tf.mul(tf.square(x), 0.044715), 1)), GELU_TANH));
    return {
      value: () => tf.mul(tf.mul(x, 0.5), tf.add(t, 1)),
      slope: () => {
        const dInner = tf.mul(tf.add(tf.mul(tf.square(x), 3 * 0.044715), 1), GELU_TANH);
        const rise = tf.mul(tf.mul(x, tf.sub(1, tf.square(t))), dInner);
        return tf.mul(tf.add(tf.add(t, 1), rise), 0.5);
      },
    };
  },
  relu: x => ({ value: () => tf.relu(x), slope: () => tf.cast(tf.greater(x, 0), 'float32') }),
};

/** `cap · tanh(x / cap)`, any shape. Saves the tanh alone. Source: Gemma Team, "Gemma 2", 2024. */
export function softCap(x: tf.Tensor, cap: number): tf.Tensor {
  return withGradient(
    [x],
    save => {
      const bent = tf.tanh(tf.mul(x, 1 / cap));
      save([bent]);
      return tf.mul(bent, cap);
    },
    (dy, [bent]) => [tf.mul(dy, tf.sub(1, tf.square(bent!)))],
  );
}

/** Applies a non-linearity, any shape. Saves x alone. */
export function activate(x: tf.Tensor, activation: Activation): tf.Tensor {
  const at = formulas[activation];
  return withGradient(
    [x],
    save => {
      save([x]);
      return at(x).value();
    },
    (dy, [x]) => [tf.mul(dy, at(x!).slope())],
  );
}

/**
 * `activation(gate) · up`, of one shape. Saves gate and up alone.
 * Source: Shazeer, "GLU Variants Improve Transformer", 2020.
 */
export function activateGate(gate: tf.Tensor, up: tf.Tensor, activation: Activation): tf.Tensor {
  const at = formulas[activation];
  return withGradient(
    [gate, up],
    save => {
      save([gate, up]);
      return tf.mul(at(gate).value(), up);
    },
    (dy, [gate, up], [isGateWanted, isUpWanted]) => {
      const { value, slope } = at(gate!);
      return [
        // The slope first: an engine then holds a tensor of this shape less at its peak than where dy comes first.
        isGateWanted ? tf.mul(tf.mul(slope(), up!), dy) : undefined,
        isUpWanted ? tf.mul(dy, value()) : undefined,
      ];
    },
  );
}
