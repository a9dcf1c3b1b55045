import * as tf from '@tensorflow/tfjs';
import { sumByRow, withGradient } from '@dropbp/core';
import type { LowRankTensors } from './lowRank.ts';

/**
 * The low-rank change of looked-up rows: `scaling · A[:, index]ᵀ · Bᵀ`. Saves the narrow rows and the indices.
 *
 * @param indices - int32, any shape
 * @param tensors - a `[rank, entries]`, b `[width, rank]`
 * @returns `[…indices.shape, width]`
 */
export function lowRankRows(
  indices: tf.Tensor,
  { a, b, scaling }: Pick<LowRankTensors, 'a' | 'b' | 'scaling'>,
): tf.Tensor {
  const [width, entries] = [b.shape[0], a.shape[1]!];
  return withGradient(
    [a, b],
    save => {
      const flat = tf.reshape(indices, [-1]);
      const narrow = tf.mul(tf.transpose(tf.gather(a, flat, 1)), scaling);
      save([narrow, flat]);
      return tf.reshape(tf.matMul(narrow, b, false, true), [...indices.shape, width]);
    },
    (dy, [narrow, flat]) => {
      const dRows = tf.reshape(dy, [-1, width]);
      const dNarrow = tf.mul(tf.matMul(dRows, b), scaling);
      return [tf.transpose(sumByRow(dNarrow, flat!, entries)), tf.matMul(dRows, narrow!, true, false)];
    },
  );
}
