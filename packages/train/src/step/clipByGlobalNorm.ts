import { checkNumber, type NumberRange } from '@dropbp/basics';
import * as tf from '@tensorflow/tfjs';
import { runWhole, type TracedFunction } from '@dropbp/core';
import { checkNamed } from '../options/checkNamed.ts';
import { equalShapeGroups } from '../optimizers/equalShapeGroups.ts';
import { scaleAll } from './tensorMaps.ts';

/** Gradients that were clipped, with their norm before. The caller owns all of them. */
export interface ClippedGradients {
  /** The gradients after clipping, by parameter name. The caller owns them. */
  readonly gradients: Map<string, tf.Tensor>;
  /** The norm of all gradients together, before clipping. */
  readonly norm: tf.Scalar;
}

/** The Euclidean norm of all gradients together; 0 where there are none. The caller owns it. */
export function globalNorm(gradients: ReadonlyMap<string, tf.Tensor>): tf.Scalar {
  checkNamed('gradients', gradients);
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
  const clipped = new Map([...gradients].map(([name, gradient]) => [name, gradient.clone()]));
  if (maxNorm < Infinity) {
    const factor = tf.tidy(() => runWhole(clippingFactor, { norm, maxNorm: tf.scalar(maxNorm) }));
    scaleAll(clipped, factor);
    factor.dispose();
  }
  return { norm, gradients: clipped };
}

function groupsOf(gradients: ReadonlyMap<string, tf.Tensor>): [name: string, gradient: tf.Tensor][][] {
  return equalShapeGroups(gradients, ([, { shape }]) => shape);
}

// Plain functions of tensors: an engine compiles each once per shape.

const addSquares: TracedFunction = ({ sum, ...gradients }) =>
  tf.addN([sum!, ...Object.values(gradients).map(gradient => tf.sum(tf.square(gradient)))]);

const clippingFactor: TracedFunction = ({ norm, maxNorm }) => tf.minimum(tf.div(maxNorm!, tf.add(norm!, 1e-6)), 1);

/** What bounds a norm: Infinity bounds nothing. */
export const positive: NumberRange = { accepts: v => v > 0, expected: 'a number > 0, or Infinity' };
