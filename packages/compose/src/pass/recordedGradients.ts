import * as tf from '@tensorflow/tfjs';
import { freeTape } from '@dropbp/core';

/** Value and gradients of a function, one for each input: undefined where no path leads to it. The caller owns them. */
export function recordedGradients(
  run: () => tf.Tensor,
  inputs: tf.Tensor[],
): { readonly value: tf.Tensor; readonly gradients: readonly (tf.Tensor | undefined)[] } {
  try {
    const { value, grads } = tf.engine().gradients(run, inputs, undefined, true);
    // tfjs's types do not say that an input without a path has no gradient.
    return { value, gradients: (grads as (tf.Tensor | null | undefined)[]).map(gradient => gradient ?? undefined) };
  } catch (error) {
    // So that who takes a smaller batch next has the memory for it. A tape around this one is another's.
    if (!tf.engine().isTapeOn()) freeTape();
    throw error;
  }
}
