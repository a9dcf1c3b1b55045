import * as tf from '@tensorflow/tfjs';
import { checkNumber, positive } from './checkNumber.ts';

/** Gradients that were clipped, with their norm before. The caller owns all of them. */
export interface ClippedGradients {
  readonly gradients: Map<string, tf.Tensor>;
  /** The norm of all gradients together, before clipping. */
  readonly norm: tf.Scalar;
}

/** The Euclidean norm of all gradients together; 0 where there are none. The caller owns it. */
export function globalNorm(gradients: ReadonlyMap<string, tf.Tensor>): tf.Scalar {
  return tf.tidy(() => {
    const sums = [...gradients.values()].map(gradient => tf.sum(tf.square(gradient)));
    return (sums.length === 0 ? tf.scalar(0) : tf.sqrt(tf.addN(sums))) as tf.Scalar;
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
  checkNumber('maxNorm', maxNorm, positive);
  const norm = globalNorm(gradients);
  if (maxNorm === Infinity) return { norm, gradients: mapped(gradients, gradient => gradient.clone()) };
  const factor = tf.tidy(() => tf.minimum(tf.div(maxNorm, tf.add(norm, 1e-6)), 1));
  const clipped = mapped(gradients, gradient => tf.mul(gradient, factor));
  factor.dispose();
  return { norm, gradients: clipped };
}

function mapped(
  gradients: ReadonlyMap<string, tf.Tensor>,
  change: (gradient: tf.Tensor) => tf.Tensor,
): Map<string, tf.Tensor> {
  return new Map([...gradients].map(([name, gradient]) => [name, change(gradient)]));
}
