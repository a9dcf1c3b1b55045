import * as tf from '@tensorflow/tfjs';
import { isGradientFree, markGradientFree } from './gradientFree.ts';

/** Stores tensors for the backward pass. */
export type Save = (tensors: tf.Tensor[]) => void;

/** Whether a backward pass that is over leaves what was saved for another one. */
let keepsSaved = false;

/**
 * An operation with its own gradient, which keeps only what it saves.
 * The forward runs outside the tape, so that none of its temporaries outlive it; what is saved is freed as soon as this
 * operation's backward is done, where tfjs alone would wait for the end of the whole backward pass.
 * Where no gradient of any input is wanted (see {@link markGradientFree}), nothing is recorded.
 *
 * @param inputs - the tensors that take a gradient; everything else is captured by the functions
 * @param forward - the result, which the caller owns
 * @param backward - one gradient for each input. `isWanted` says for each whether it is used: one that is not may be
 * undefined, and costs nothing then
 */
export function withGradient(
  inputs: tf.Tensor[],
  forward: (save: Save) => tf.Tensor,
  backward: (dy: tf.Tensor, saved: tf.Tensor[], isWanted: readonly boolean[]) => (tf.Tensor | undefined)[],
): tf.Tensor {
  const isWanted = inputs.map(input => !isGradientFree(input));
  const isRecorded = isWanted.includes(true);
  const ofWanted = <T>(values: readonly T[]): T[] => values.filter((_, i) => isWanted[i]);
  const operation = tf.customGrad((...args: (tf.Tensor | Save)[]) => {
    const save = args.at(-1) as Save;
    return {
      value: forward(isRecorded ? save : () => undefined),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const gradients = tf.tidy(() => ofWanted(backward(dy, saved, isWanted)) as tf.Tensor[]);
        if (!keepsSaved) tf.dispose(saved);
        return gradients;
      },
    };
  });
  const result = operation(...ofWanted(inputs));
  return isRecorded ? result : markGradientFree(result);
}

/**
 * Runs `compute` with nothing recorded: the result carries no gradient and the tape holds nothing of it.
 * Zero gradients at the result would still run the backward of what is inside. The caller owns the result.
 */
export function forwardOnly(compute: () => tf.Tensor): tf.Tensor {
  return withGradient([], compute, () => []);
}

/** Runs a backward pass that is not the last one over its tape. */
export function keepSaved<T>(run: () => T): T {
  const before = keepsSaved;
  keepsSaved = true;
  try {
    return run();
  } finally {
    keepsSaved = before;
  }
}
