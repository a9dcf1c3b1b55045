import * as tf from '@tensorflow/tfjs';
import type { CacheSlot, ExtendCache, KeyValue } from '@dropbp/core';

/**
 * Keys and values of sequences, in tensors `[batch, kvHeads, capacity, headSize]` whose shape stays the same while the
 * sequences grow: what lies behind the end of each means nothing, and the model's key bias hides it.
 */
export interface KeyValueCache {
  /** Tokens that fit. 0 before the first pass. */
  readonly capacity: number;
  /** Prepares for one more token of each sequence, at its position: doubles the capacity where it is full. */
  makeRoom(positions: readonly number[]): void;
  /** Where branch number `branch` keeps its keys and values: those of a whole prompt first, then one token each. */
  readonly slot: (branch: number) => CacheSlot;
  /** What is kept, by the number of the branch. */
  readonly pairs: ReadonlyMap<number, KeyValue>;
  dispose(): void;
}

/** A cache, empty at first. `dispose()` it, also after an error. @param stored - what it holds, which it owns */
export function keyValueCache(stored = new Map<number, KeyValue>()): KeyValueCache {
  let capacity = [...stored.values()][0]?.keys.shape[2] ?? 0;
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
    pairs: stored,
    makeRoom(positions) {
      const next = Math.max(...positions);
      if (next >= capacity) {
        for (const [branch, pair] of stored) store(branch, grownTo(capacityFor(next + 1), pair));
      }
      position?.dispose();
      position = tf.keep(tf.tensor1d([...positions], 'int32'));
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

/** The sequences of several caches in one, which owns them. The caches are disposed. */
export function joinCaches(caches: readonly KeyValueCache[]): KeyValueCache {
  const capacity = Math.max(...caches.map(cache => cache.capacity));
  const branches = [...caches[0]!.pairs.keys()];
  const joined = branches.map((branch): [number, KeyValue] => {
    const pairs = tf.tidy(() => {
      const parts = caches.map(({ pairs }) => grownTo(capacity, pairs.get(branch)!));
      return { keys: tf.concat(parts.map(({ keys }) => keys)), values: tf.concat(parts.map(({ values }) => values)) };
    });
    tf.keep(pairs.keys);
    tf.keep(pairs.values);
    return [branch, pairs];
  });
  for (const cache of caches) cache.dispose();
  return keyValueCache(new Map(joined));
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

/**
 * `all` `[batch, kvHeads, capacity, headSize]` with one token's rows `[batch, kvHeads, 1, headSize]` of each sequence.
 *
 * @param position - int32 `[batch]`
 */
function withToken(all: tf.Tensor, own: tf.Tensor, position: tf.Tensor): tf.Tensor {
  const [batch, kvHeads, capacity, headSize] = all.shape as [number, number, number, number];
  const heads = batch * kvHeads;
  const begins = tf.reshape(tf.range(0, heads * capacity, capacity, 'int32'), [batch, kvHeads]);
  const rows = tf.add(begins, tf.reshape(position, [batch, 1]));
  const written = tf.tensorScatterUpdate(
    tf.reshape(all, [heads * capacity, headSize]),
    tf.reshape(rows, [heads, 1]),
    tf.reshape(own, [heads, headSize]),
  );
  return tf.reshape(written, all.shape);
}
