import * as tf from '@tensorflow/tfjs';
import type { Scope } from './contract/branch.ts';

const marked = new WeakSet<tf.Tensor>();

/**
 * Whether gradients are wanted for this tensor: a trainable variable, its stand-in while an engine traces, or a tensor that
 * operations on a running tape have computed from one of these (`tf.mul(weight, 2)`).
 */
export function isTrainable(tensor: tf.Tensor): boolean {
  return isSource(tensor) || isComputedFromTrainable(tensor);
}

/** Marks the stand-in of a trainable variable. */
export function markTrainable<T extends tf.Tensor>(tensor: T): T {
  marked.add(tensor);
  return tensor;
}

/** Whether any tensor of the scope is trainable. */
export function hasTrainable(scope: Scope): boolean {
  return Object.values(scope).some(isTrainable);
}

function isSource(tensor: tf.Tensor): boolean {
  return tensor instanceof tf.Variable ? tensor.trainable : marked.has(tensor);
}

/** Walks the running tape back from the tensor. A step's tape has a few thousand nodes at most, so one look at each is cheap. */
function isComputedFromTrainable({ id }: tf.Tensor): boolean {
  const { gradientDepth, activeTape: tape } = tf.engine().state;
  if (gradientDepth === 0) return false;
  const sought = new Set([id]);
  // A node stands behind those that made its inputs, so one way back meets all of them.
  for (let i = tape.length - 1; i >= 0; i--) {
    const { inputs, outputs } = tape[i]!;
    if (!outputs.some(output => sought.has(output.id))) continue;
    for (const input of Object.values(inputs)) {
      if (isSource(input)) return true;
      sought.add(input.id);
    }
  }
  return false;
}
