import { checkNumber } from '@dropbp/basics';
import * as tf from '@tensorflow/tfjs';
import { runWhole, type TracedFunction } from '@dropbp/core';
import { positive } from './positive.ts';
import { equalShapeGroups } from './equalShapeGroups.ts';
import { runOnEach } from './runOnEach.ts';

/** Gradients that were clipped, with their norm before. The caller owns all of them. */
export interface ClippedGradients {
  readonly gradients: Map<string, tf.Tensor>;
  /** The norm of all gradients together, before clipping. */
  readonly norm: tf.Scalar;
}

/** The Euclidean norm of all gradients together; 0 where there are none. The caller owns it. */
export function globalNorm(gradients: ReadonlyMap<string, tf.Tensor>): tf.Scalar {
  return tf.tidy(() => {
    let sum: tf.Tensor = tf.scalar(0);
    // The sum goes through all runs: adding up one result of each would depend on how many there are.
    for (const group of groupsOf(gradients)) {
      sum = runWhole(addSquares, { sum, ...Object.fromEntries(group.map(([, gradient], i) => [i, gradient])) });
    }
    return tf.sqrt(sum) as tf.Scalar;
  });
}

/**
 * Scales all gradients by one factor, so that their norm together is `maxNorm` at most. Nothing is read back from the
 * device. The given gradients stay the caller's.
 *
 * @param maxNorm - a number > 0; with Infinity the result holds copies
 * @throws Problem for another `maxNorm`
 *
 * Source: torch.nn.utils.clip_grad_norm_, its 1e-6 included.
 */
export function clipByGlobalNorm(gradients: ReadonlyMap<string, tf.Tensor>, maxNorm: number): ClippedGradients {
  checkNumber('train', 'maxNorm', maxNorm, positive);
  const norm = globalNorm(gradients);
  if (maxNorm === Infinity) {
    return { norm, gradients: new Map([...gradients].map(([name, gradient]) => [name, gradient.clone()])) };
  }
  const factor = tf.tidy(() => runWhole(clippingFactor, { norm, maxNorm: tf.scalar(maxNorm) }));
  const clipped = new Map<string, tf.Tensor>();
  for (const group of groupsOf(gradients)) {
    const items = group.map(([, gradient]) => ({ gradient }));
    runOnEach(scale, items, { factor }).forEach(([scaled], i) => clipped.set(group[i]![0], scaled!));
  }
  factor.dispose();
  return { norm, gradients: new Map([...gradients.keys()].map(name => [name, clipped.get(name)!])) };
}

function groupsOf(gradients: ReadonlyMap<string, tf.Tensor>): [name: string, gradient: tf.Tensor][][] {
  return equalShapeGroups(gradients, ([, { shape }]) => shape);
}

// Plain functions of tensors: an engine compiles each once per shape.

const addSquares: TracedFunction = ({ sum, ...gradients }) =>
  tf.addN([sum!, ...Object.values(gradients).map(gradient => tf.sum(tf.square(gradient)))]);

const clippingFactor: TracedFunction = ({ norm, maxNorm }) => tf.minimum(tf.div(maxNorm!, tf.add(norm!, 1e-6)), 1);

const scale: TracedFunction<tf.Tensor[]> = ({ gradient, factor }) => [tf.mul(gradient!, factor!)];
