import * as tf from '@tensorflow/tfjs';
import { withGradient } from './withGradient.ts';

/**
 * Rotary position embedding: each pair (i, i + size/2) of a head's values is turned by an angle that grows with the
 * position. Saves nothing but the tables. Source: Su et al., "RoFormer", 2021, in the half-split form of Hugging Face.
 *
 * @param x - `[batch, heads, time, size]`
 * @param cos - `[time, size]`, or `[batch, 1, time, size]` where sequences have positions of their own
 * @param sin - of the same shape
 */
export function rope(x: tf.Tensor, cos: tf.Tensor, sin: tf.Tensor): tf.Tensor {
  return withGradient(
    [x],
    save => {
      save([cos, sin]);
      return tf.add(tf.mul(x, cos), tf.mul(rotateHalf(x), sin));
    },
    (dy, [cos, sin]) => [tf.sub(tf.mul(dy, cos!), rotateHalf(tf.mul(dy, sin!)))],
  );
}

/** (a, b) → (−b, a) for the halves of the last axis; its transpose is its negative. */
function rotateHalf(x: tf.Tensor): tf.Tensor {
  const [a, b] = tf.split(x, 2, -1);
  return tf.concat([tf.neg(b!), a!], -1);
}

/** The angle of each pair of values at position 1, for {@link ropeTables}. */
export type RopeFrequencies = readonly number[];

/**
 * Tables of cosines and sines, `[time, size]` each. The caller owns them.
 *
 * @param frequencies - one for each pair, `size / 2` of them
 * @param positions - the position of each token
 * @param scale - factor on both tables. @defaultValue 1
 */
export function ropeTables(
  frequencies: RopeFrequencies,
  positions: readonly number[],
  scale = 1,
): { cos: tf.Tensor; sin: tf.Tensor } {
  const half = frequencies.length;
  const cos = new Float32Array(positions.length * half * 2);
  const sin = new Float32Array(cos.length);
  positions.forEach((position, row) => {
    for (let i = 0; i < half; i++) {
      // transformers computes the angle in float32; rounding alike keeps long positions equal.
      const angle = Math.fround(position * Math.fround(frequencies[i]!));
      const at = row * half * 2 + i;
      cos[at] = cos[at + half] = Math.cos(angle) * scale;
      sin[at] = sin[at + half] = Math.sin(angle) * scale;
    }
  });
  const shape: [number, number] = [positions.length, half * 2];
  return { cos: tf.tensor2d(cos, shape), sin: tf.tensor2d(sin, shape) };
}
