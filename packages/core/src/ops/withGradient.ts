import * as tf from '@tensorflow/tfjs';

/** Stores tensors for the backward pass. */
export type Save = (tensors: tf.Tensor[]) => void;

/**
 * An operation with its own gradient, which keeps only what it saves.
 * The forward runs outside the tape, so that none of its temporaries outlive it; what is saved is freed as soon as this
 * operation's backward is done, where tfjs alone would wait for the end of the whole backward pass.
 *
 * @param inputs - the tensors that take a gradient; everything else is captured by the functions
 * @param forward - the result, which the caller owns
 * @param backward - one gradient for each input
 */
export function withGradient(
  inputs: tf.Tensor[],
  forward: (save: Save) => tf.Tensor,
  backward: (dy: tf.Tensor, saved: tf.Tensor[]) => tf.Tensor[],
): tf.Tensor {
  const operation = tf.customGrad((...args: (tf.Tensor | Save)[]) => {
    const save = args.at(-1) as Save;
    return {
      value: forward(save),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const gradients = tf.tidy(() => backward(dy, saved));
        tf.dispose(saved);
        return gradients;
      },
    };
  });
  return operation(...inputs);
}

/**
 * Runs `compute` with nothing recorded: the result carries no gradient and the tape holds nothing of it.
 * Zero gradients at the result would still run the backward of what is inside. The caller owns the result.
 */
export function forwardOnly(compute: () => tf.Tensor): tf.Tensor {
  return withGradient([], compute, () => []);
}
