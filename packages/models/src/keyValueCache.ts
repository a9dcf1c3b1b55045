import * as tf from '@tensorflow/tfjs';
import type { KeyValue } from '@dropbp/core';

/**
 * Keys and values of one sequence, in tensors `[1, kvHeads, capacity, headSize]` whose shape stays the same while the
 * sequence grows: positions that are not there yet hold zeros, and the model's key bias hides them.
 */
export interface KeyValueCache {
  /** Tokens that fit. */
  readonly capacity: number;
  /** Prepares for one more token, at this position: doubles the capacity where it is full. */
  makeRoom(position: number): void;
  /** What branch number `branch` does with its keys and values: those of a whole prompt first, then one token each. */
  readonly extend: (branch: number) => (keys: tf.Tensor, values: tf.Tensor) => KeyValue;
  dispose(): void;
}

const FIRST_CAPACITY = 128;

/** An empty cache. `dispose()` it, also after an error. */
export function keyValueCache(): KeyValueCache {
  const stored = new Map<number, KeyValue>();
  let capacity = FIRST_CAPACITY;
  /** True at the position that the next token takes, `[1, 1, capacity, 1]`. */
  let isNew: tf.Tensor | undefined;

  const replace = (branch: number, next: KeyValue): KeyValue => {
    const old = stored.get(branch);
    stored.set(branch, { keys: tf.keep(next.keys), values: tf.keep(next.values) });
    if (old !== undefined) tf.dispose([old.keys, old.values]);
    return next;
  };
  const grownTo = (size: number, { keys, values }: KeyValue): KeyValue => {
    const grow = (x: tf.Tensor): tf.Tensor => tf.pad(x, [[0, 0], [0, 0], [0, size - x.shape[2]!], [0, 0]]); // prettier-ignore
    return { keys: grow(keys), values: grow(values) };
  };

  return {
    get capacity() {
      return capacity;
    },
    makeRoom(position) {
      if (position >= capacity) {
        capacity *= 2;
        for (const [branch, pair] of stored) replace(branch, grownTo(capacity, pair));
      }
      isNew?.dispose();
      const flags = new Uint8Array(capacity);
      flags[position] = 1;
      isNew = tf.keep(tf.tensor4d(flags, [1, 1, capacity, 1], 'bool'));
    },
    extend: branch => (keys, values) => {
      const before = stored.get(branch);
      if (before === undefined) {
        while (capacity < keys.shape[2]!) capacity *= 2;
        replace(branch, grownTo(capacity, { keys, values }));
        return { keys, values };
      }
      return replace(branch, {
        keys: tf.where(isNew!, keys, before.keys),
        values: tf.where(isNew!, values, before.values),
      });
    },
    dispose() {
      isNew?.dispose();
      for (const { keys, values } of stored.values()) tf.dispose([keys, values]);
      stored.clear();
    },
  };
}
