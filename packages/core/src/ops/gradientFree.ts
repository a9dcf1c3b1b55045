import type * as tf from '@tensorflow/tfjs';

const marked = new WeakSet<tf.Tensor>();

/** Whether it is known that nobody wants a gradient of this tensor: nothing that it was computed from is trained. */
export function isGradientFree(tensor: tf.Tensor): boolean {
  return marked.has(tensor);
}

/**
 * Says so: operations made by {@link withGradient} then leave its gradient out. tfjs itself drops a gradient that leads
 * nowhere only once it is computed.
 */
export function markGradientFree<T extends tf.Tensor>(tensor: T): T {
  marked.add(tensor);
  return tensor;
}
