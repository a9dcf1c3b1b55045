import type * as tf from '@tensorflow/tfjs';

/** Frees tensors that are not freed yet: a second call does nothing, as `dispose()` of attachments and models promises. */
export function disposeOnce(tensors: Iterable<tf.Tensor>): void {
  for (const tensor of tensors) if (!tensor.isDisposed) tensor.dispose();
}
