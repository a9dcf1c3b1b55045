import * as tf from '@tensorflow/tfjs';
import type { Tuned } from '@dropbp/compose';
import { globalNorm } from './clipByGlobalNorm.ts';
import type { Optimizer } from '../optimizers/optimizer.ts';

/** Updates of one step that are done while its backward pass is still on its way. */
export interface EarlyUpdates {
  /** Updates the parameter and frees the gradient. */
  readonly onGradient: (name: string, gradient: tf.Tensor) => void;
  /** Whether a parameter was updated. */
  readonly any: boolean;
  /** The norm of these gradients and of others together. The caller owns it. */
  normWith(others: ReadonlyMap<string, tf.Tensor>): tf.Scalar;
  dispose(): void;
}

export function earlyUpdates({ parameters }: Tuned, optimizer: Optimizer, learningRate: number): EarlyUpdates {
  let squares = tf.keep(tf.scalar(0));
  let any = false;
  return {
    onGradient(name, gradient) {
      const gradients = new Map([[name, gradient]]);
      const before = squares;
      squares = tf.keep(tf.tidy(() => tf.add(before, tf.square(globalNorm(gradients)))));
      before.dispose();
      optimizer.apply(parameters, gradients, learningRate);
      gradient.dispose();
      any = true;
    },
    get any() {
      return any;
    },
    normWith: others => tf.tidy(() => tf.sqrt(tf.add(squares, tf.square(globalNorm(others))))),
    dispose: () => squares.dispose(),
  };
}
