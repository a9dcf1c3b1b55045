import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import { statesAt, type Runnable } from '@dropbp/core';

/**
 * How the states of a text become one vector, as sentence-transformers names it. The way `cls` takes the first token's state, and
 * `lasttoken` the last one's. The way `max` takes the largest value of each dimension. The way `mean_sqrt_len_tokens` divides the
 * sum by the root of the number of tokens. Weights of `weightedmean` grow with the position.
 */
export type PoolingMode = 'cls' | 'max' | 'mean' | 'mean_sqrt_len_tokens' | 'weightedmean' | 'lasttoken';

/** In the order in which vectors are put behind one another where a file only says which are there. */
export const poolingModes: readonly PoolingMode[] = ['cls', 'max', 'mean', 'mean_sqrt_len_tokens', 'weightedmean', 'lasttoken']; // prettier-ignore

/** @param source - for messages @throws Problem for a way that is not known, or none */
export function checkPooling(modes: unknown, source: string): readonly PoolingMode[] {
  const isUsable = (list: unknown): list is readonly PoolingMode[] =>
    Array.isArray(list) && list.length > 0 && list.every(mode => poolingModes.includes(mode as PoolingMode));
  if (isUsable(modes)) return modes;
  throw problem('embed', {
    what: `${source} is not usable`,
    got: modes,
    expected: `one or several of ${poolingModes.join(', ')}`,
  });
}

/** Which positions of a batch hold tokens. */
export interface TokenMask {
  /** `[batch · time]`: 1 = token, 0 = padding. */
  readonly values: ArrayLike<number>;
  readonly batch: number;
  readonly time: number;
}

/**
 * The vectors of a batch, `[batch, width · modes]`.
 *
 * @param hidden - `[batch, time, width]` before the final norm; longer where an adapter puts virtual tokens in front
 */
export function poolStates(
  runnable: Runnable,
  hidden: tf.Tensor,
  { mask, modes }: { mask: TokenMask; modes: readonly PoolingMode[] },
): tf.Tensor {
  const { batch, time } = mask;
  const normalize = (states: tf.Tensor): tf.Tensor => runnable.model.head.normalize(states, runnable.outerScope);
  const needsAll = modes.some(mode => mode !== 'cls' && mode !== 'lasttoken');
  const virtual = hidden.shape[1]! - time;
  const states = needsAll
    ? normalize(virtual === 0 ? hidden : tf.slice(hidden, [0, virtual, 0], [batch, time, -1]))
    : undefined;
  const pooled = modes.map(mode => {
    if (mode === 'cls' || mode === 'lasttoken') return normalize(statesAt(hidden, placesOf(mask, mode), time));
    if (mode === 'max') {
      const hides = Float32Array.from({ length: batch * time }, (_, i) => (mask.values[i] ? 0 : -1e30));
      return tf.max(tf.add(states!, tf.tensor3d(hides, [batch, time, 1])), 1);
    }
    const sums = tf.matMul(tf.tensor3d(weightsOf(mask, mode), [batch, 1, time]), states!);
    return tf.reshape(sums, [batch, -1]);
  });
  return pooled.length === 1 ? pooled[0]! : tf.concat(pooled, 1);
}

/** The first or the last token of each row, in the flattened `[batch · time]`. */
function placesOf({ values, batch, time }: TokenMask, mode: 'cls' | 'lasttoken'): Int32Array {
  return Int32Array.from({ length: batch }, (_, row) => {
    let t = mode === 'cls' ? 0 : time - 1;
    const step = mode === 'cls' ? 1 : -1;
    while (t + step >= 0 && t + step < time && !values[row * time + t]) t += step;
    return row * time + t;
  });
}

/** How much each state counts. */
function weightsOf({ values, batch, time }: TokenMask, mode: PoolingMode): Float32Array {
  const weights = new Float32Array(batch * time);
  for (let row = 0; row < batch; row++) {
    let [position, sum] = [0, 0];
    for (let t = 0; t < time; t++) {
      if (position > 0 || values[row * time + t]) position++;
      const weight = values[row * time + t] ? (mode === 'weightedmean' ? position : 1) : 0;
      weights[row * time + t] = weight;
      sum += weight;
    }
    const divisor = Math.max(mode === 'mean_sqrt_len_tokens' ? Math.sqrt(sum) : sum, 1e-9);
    for (let t = 0; t < time; t++) weights[row * time + t]! /= divisor;
  }
  return weights;
}
