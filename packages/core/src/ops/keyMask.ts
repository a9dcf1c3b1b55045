import * as tf from '@tensorflow/tfjs';

/**
 * Says of each key which queries see it: those from `begins` up to, and without, `ends`, both numbers of queries of the same
 * attention. So a row may hold texts that do not see each other, in any order, and texts that share a beginning.
 */
export interface KeyMask {
  /** float32 `[batch, keys]`: the first query that sees each key. */
  readonly begins: tf.Tensor;
  /** float32 `[batch, keys]`: the query behind the last one that sees each key. 0 hides a key from all. */
  readonly ends: tf.Tensor;
  /** float32 `[batch, keys]`: where each key stands in its text, for a sliding window. The last ones are the queries'. */
  readonly positions?: tf.Tensor | undefined;
}

/** The part of an attention that {@link maskScores} works on. */
export interface MaskedPart {
  /** All queries of the attention. */
  readonly queries: number;
  /** The first query of the part. */
  readonly start: number;
  /** Queries of the part. */
  readonly count: number;
  /** Keys that the part looks at, from the first one on. */
  readonly seen: number;
  /** A query sees the keys of this many positions, its own included. */
  readonly window: number;
}

/** Float32 `[batch, 1, count, seen]`: 1 where a query does not see a key, 0 elsewhere. The caller owns it. */
export function hiddenByMask({ begins, ends, positions }: KeyMask, part: MaskedPart): tf.Tensor {
  const { queries, start, count, seen, window } = part;
  const [batch, keys] = begins.shape as [number, number];
  const numbers = tf.reshape(tf.range(start, start + count), [1, 1, count, 1]);
  const ofKeys = (x: tf.Tensor): tf.Tensor => tf.reshape(tf.slice(x, [0, 0], [batch, seen]), [batch, 1, 1, seen]);
  const isOutside = tf.logicalOr(tf.less(numbers, ofKeys(begins)), tf.greaterEqual(numbers, ofKeys(ends)));
  if (positions === undefined || window === Infinity) return tf.cast(isOutside, 'float32');
  const own = tf.slice(positions, [0, keys - queries + start], [batch, count]);
  const lastLeft = tf.sub(tf.reshape(own, [batch, 1, count, 1]), window);
  return tf.cast(tf.logicalOr(isOutside, tf.lessEqual(ofKeys(positions), lastLeft)), 'float32');
}
