import * as tf from '@tensorflow/tfjs';

/** Sums of tensors by key. It owns what it holds; nothing is freed by a tidy, so that they live across `await`. */
export interface TensorSums<K> {
  /** Takes over the tensor. */
  add(key: K, tensor: tf.Tensor): void;
  /** Hands the sums over, in the order of their first terms, and is empty afterwards. */
  take(): Map<K, tf.Tensor>;
  dispose(): void;
}

export function tensorSums<K>(): TensorSums<K> {
  let sums = new Map<K, tf.Tensor>();
  return {
    add(key, tensor) {
      const before = sums.get(key);
      sums.set(key, before === undefined ? tensor : tf.add(before, tensor));
      if (before !== undefined) tf.dispose([before, tensor]);
    },
    take() {
      const taken = sums;
      sums = new Map();
      return taken;
    },
    dispose() {
      tf.dispose([...sums.values()]);
      sums.clear();
    },
  };
}
