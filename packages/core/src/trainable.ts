import * as tf from '@tensorflow/tfjs';
import type { Scope } from './contract/branch.ts';

const marked = new WeakSet<tf.Tensor>();

/** Whether gradients are wanted for this tensor: a trainable variable, or its stand-in while an engine traces. */
export function isTrainable(tensor: tf.Tensor): boolean {
  return tensor instanceof tf.Variable ? tensor.trainable : marked.has(tensor);
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
