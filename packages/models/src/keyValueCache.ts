import * as tf from '@tensorflow/tfjs';
import type { CacheSlot, ExtendCache, KeyValue } from '@dropbp/core';

/**
 * Keys and values of one sequence, in tensors `[1, kvHeads, capacity, headSize]` whose shape stays the same while the
 * sequence grows: what lies behind its end means nothing, and the model's key bias hides it.
 */
export interface KeyValueCache {
  /** Tokens that fit. 0 before the first pass. */
  readonly capacity: number;
  /** Prepares for one more token, at this position: doubles the capacity where it is full. */
  makeRoom(position: number): void;
  /** Where branch number `branch` keeps its keys and values: those of a whole prompt first, then one token each. */
  readonly slot: (branch: number) => CacheSlot;
  dispose(): void;
}

/** An empty cache. `dispose()` it, also after an error. */
export function keyValueCache(): KeyValueCache {
  const stored = new Map<number, KeyValue>();
  let capacity = 0;
  let position: tf.Tensor | undefined;

  const store = (branch: number, pair: KeyValue): void => {
    const old = stored.get(branch);
    stored.set(branch, { keys: tf.keep(pair.keys), values: tf.keep(pair.values) });
    if (old !== undefined) tf.dispose([old.keys, old.values]);
    capacity = pair.keys.shape[2]!;
  };
  return {
    get capacity() {
      return capacity;
    },
    makeRoom(next) {
      if (next >= capacity) {
        for (const [branch, pair] of stored) store(branch, grownTo(capacityFor(next + 1), pair));
      }
      position?.dispose();
      position = tf.keep(tf.tensor1d([next], 'int32'));
    },
    slot(branch) {
      const before = stored.get(branch);
      return {
        reads: before === undefined ? {} : { keys: before.keys, values: before.values, position: position! },
        extend: before === undefined ? beginCache : appendToCache,
        store: pair => store(branch, pair),
      };
    },
    dispose() {
      position?.dispose();
      for (const { keys, values } of stored.values()) tf.dispose([keys, values]);
      stored.clear();
    },
  };
}

const FIRST_CAPACITY = 128;

/** Few capacities, because an engine compiles the branch for each. */
function capacityFor(tokens: number): number {
  let capacity = FIRST_CAPACITY;
  while (capacity < tokens) capacity *= 2;
  return capacity;
}

function grownTo(capacity: number, { keys, values }: KeyValue): KeyValue {
  const grow = (x: tf.Tensor): tf.Tensor => tf.pad(x, [[0, 0], [0, 0], [0, capacity - x.shape[2]!], [0, 0]]); // prettier-ignore
  return { keys: grow(keys), values: grow(values) };
}

/** The prompt: its tokens see each other, and there is room for one more at least. */
const beginCache: ExtendCache = own => ({ seen: own, stored: grownTo(capacityFor(own.keys.shape[2]! + 1), own) });

/** One token: it takes its place in the cache, and sees all of it. */
const appendToCache: ExtendCache = (own, { keys, values, position }) => {
  const stored = { keys: withToken(keys!, own.keys, position!), values: withToken(values!, own.values, position!) };
  return { seen: stored, stored };
};

/** `all` `[1, kvHeads, capacity, headSize]` with one token's rows `[1, kvHeads, 1, headSize]` at this position. */
function withToken(all: tf.Tensor, own: tf.Tensor, position: tf.Tensor): tf.Tensor {
  const [, kvHeads, capacity, headSize] = all.shape as [number, number, number, number];
  const rows = tf.add(tf.range(0, kvHeads * capacity, capacity, 'int32'), position);
  const written = tf.tensorScatterUpdate(
    tf.reshape(all, [kvHeads * capacity, headSize]),
    tf.reshape(rows, [kvHeads, 1]),
    tf.reshape(own, [kvHeads, headSize]),
  );
  return tf.reshape(written, all.shape);
}
