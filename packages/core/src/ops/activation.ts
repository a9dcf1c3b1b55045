import * as tf from '@tensorflow/tfjs';
import { withGradient } from './withGradient.ts';

/** The non-linearity of an MLP, named by its formula. */
export type Activation = 'silu' | 'gelu' | 'geluTanh' | 'relu';

interface Formula {
  readonly value: (x: tf.Tensor) => tf.Tensor;
  /** d value / dx at x, where the value may be at hand. */
  readonly slope: (x: tf.Tensor, value: () => tf.Tensor) => tf.Tensor;
}

const GELU_TANH = Math.sqrt(2 / Math.PI);

const formulas: Readonly<Record<Activation, Formula>> = {
  silu: {
    value: x => tf.mul(x, tf.sigmoid(x)),
    slope: (x, value) => {
      const s = tf.sigmoid(x);
      return tf.add(s, tf.mul(value(), tf.sub(1, s)));
    },
  },
  gelu: {
    value: x => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1)),
    slope: x => {
      const cdf = tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5);
      const pdf = tf.mul(tf.exp(tf.mul(tf.square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
      return tf.add(cdf, tf.mul(x, pdf));
    },
  },
  geluTanh: {
    value: x => tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(geluInner(x)), 1)),
    slope: x => {
      const t = tf.tanh(geluInner(x));
      const dInner = tf.mul(tf.add(tf.mul(tf.square(x), 3 * 0.044715), 1), GELU_TANH);
      const rise = tf.mul(tf.mul(x, tf.sub(1, tf.square(t))), dInner);
      return tf.mul(tf.add(tf.add(t, 1), rise), 0.5);
    },
  },
  relu: { value: x => tf.relu(x), slope: x => tf.cast(tf.greater(x, 0), 'float32') },
};

function geluInner(x: tf.Tensor): tf.Tensor {
  return tf.mul(tf.mul(x, tf.add(tf.mul(tf.square(x), 0.044715), 1)), GELU_TANH);
}

/** Applies a non-linearity, any shape. Saves x alone. */
export function activate(x: tf.Tensor, activation: Activation): tf.Tensor {
  const { value, slope } = formulas[activation];
  return withGradient(
    [x],
    save => {
      save([x]);
      return value(x);
    },
    (dy, [x]) => [
      tf.mul(
        dy,
        slope(x!, () => value(x!)),
      ),
    ],
  );
}

/**
 * `activation(gate) · up`, of one shape. Saves gate and up alone.
 * Source: Shazeer, "GLU Variants Improve Transformer", 2020.
 */
export function gated(gate: tf.Tensor, up: tf.Tensor, activation: Activation): tf.Tensor {
  const { value, slope } = formulas[activation];
  return withGradient(
    [gate, up],
    save => {
      save([gate, up]);
      return tf.mul(value(gate), up);
    },
    (dy, [gate, up], [isGateWanted, isUpWanted]) => {
      const y = isUpWanted ? value(gate!) : undefined;
      return [
        isGateWanted
          ? tf.mul(
              tf.mul(dy, up!),
              slope(gate!, () => y ?? value(gate!)),
            )
          : undefined,
        y && tf.mul(dy, y),
      ];
    },
  );
}
