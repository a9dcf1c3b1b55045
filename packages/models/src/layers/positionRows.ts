import * as tf from '@tensorflow/tfjs';

/**
 * Positions of the tokens of a pass, a row for each sequence; one row where all have the same.
 *
 * @param offset - position of the first token; one for each sequence where they differ
 * @param time - tokens in a sequence
 */
export function positionRows(offset: number | readonly number[], time: number): number[][] {
  return [offset].flat().map(first => Array.from({ length: time }, (_, i) => first + i));
}

/**
 * Positions of the tokens of a pass whose rows hold several texts, int32 `[batch, time]`, behind what an adapter puts in front:
 * that takes the first positions of every text. The caller owns them.
 *
 * @param positions - int32 `[batch, n]`, of the last n tokens in their texts
 * @param time - tokens in a row
 */
export function placesOfTexts(positions: tf.Tensor, time: number): tf.Tensor {
  const [batch, n] = positions.shape as [number, number];
  const virtual = time - n;
  if (virtual === 0) return positions.clone();
  return tf.tidy(() => {
    const front = tf.tile(tf.reshape(tf.range(0, virtual, 1, 'int32'), [1, virtual]), [batch, 1]);
    return tf.concat([front, tf.add(positions, tf.scalar(virtual, 'int32'))], 1);
  });
}
