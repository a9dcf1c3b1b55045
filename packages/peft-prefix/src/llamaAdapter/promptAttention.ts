import * as tf from '@tensorflow/tfjs';
import { withGradient, type KeyValue } from '@dropbp/core';

/**
 * What queries gather from a prompt that all of them see, times a gate: `gate · softmax(q · kᵀ / √headSize) · v`.
 * Saves its inputs alone and computes the probabilities again in the backward pass.
 * Source: Zhang et al., "LLaMA-Adapter", 2023.
 *
 * @param queries - `[batch, heads, time, headSize]`
 * @param prompt - keys and values `[1, kvHeads, length, headSize]`, the same for every sequence
 * @param gate - `[1]`
 * @returns `[batch, heads, time, headSize]`
 */
export function promptAttention(queries: tf.Tensor, { keys, values }: KeyValue, gate: tf.Tensor): tf.Tensor {
  const [batch, heads, time, size] = queries.shape as [number, number, number, number];
  const [, kvHeads, length] = keys.shape as [number, number, number];
  const scale = 1 / Math.sqrt(size);
  // The heads of a group are stacked as rows, so that keys and values are never repeated for them.
  const rows = (x: tf.Tensor): tf.Tensor => tf.reshape(x, [batch * kvHeads, (heads / kvHeads) * time, size]);
  const repeatRows = (x: tf.Tensor): tf.Tensor =>
    tf.reshape(tf.tile(x, [batch, 1, 1, 1]), [batch * kvHeads, length, size]);
  const sumOverRows = (dx: tf.Tensor): tf.Tensor => tf.sum(tf.reshape(dx, [batch, kvHeads, length, size]), 0, true);
  const probabilities = (q: tf.Tensor, k: tf.Tensor): tf.Tensor =>
    tf.softmax(tf.mul(tf.matMul(rows(q), repeatRows(k), false, true), scale));
  return withGradient(
    [queries, keys, values, gate],
    save => {
      save([queries, keys, values, gate]);
      const gathered = tf.matMul(probabilities(queries, keys), repeatRows(values));
      return tf.reshape(tf.mul(gathered, gate), queries.shape);
    },
    (dy, [q, k, v, gate], [isQueryWanted]) => {
      const p = probabilities(q!, k!);
      const dRows = rows(dy);
      const dGathered = tf.mul(dRows, gate!);
      const dP = tf.matMul(dGathered, repeatRows(v!), false, true);
      const dScores = tf.mul(tf.mul(p, tf.sub(dP, tf.sum(tf.mul(dP, p), -1, true))), scale);
      const gathered = tf.matMul(p, repeatRows(v!));
      return [
        isQueryWanted ? tf.reshape(tf.matMul(dScores, repeatRows(k!)), q!.shape) : undefined,
        sumOverRows(tf.matMul(dScores, rows(q!), true, false)),
        sumOverRows(tf.matMul(p, dGathered, true, false)),
        tf.reshape(tf.sum(tf.mul(dRows, gathered)), [1]),
      ];
    },
  );
}
