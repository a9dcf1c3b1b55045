import * as tf from '@tensorflow/tfjs';
import { withGradient } from './withGradient.ts';

/**
 * Rotary position embedding: each pair (i, i + turned/2) of a head's first values is turned by an angle that grows with the
 * position; values behind them stay. Saves nothing but the tables. Source: Su et al., "RoFormer", 2021, in the half-split form
 * of Hugging Face.
 *
 * @param x - `[batch, heads, time, size]`
 * @param cos - `[time, turned]`, or `[batch, 1, time, turned]` where sequences have positions of their own
 * @param sin - of the same shape
 */
export function rope(x: tf.Tensor, cos: tf.Tensor, sin: tf.Tensor): tf.Tensor {
  const turned = cos.shape.at(-1)!;
  return withGradient(
    [x],
    save => {
      save([cos, sin]);
      return onFirst(turned, x, first => tf.add(tf.mul(first, cos), tf.mul(rotateHalf(first), sin)));
    },
    (dy, [cos, sin]) => [onFirst(turned, dy, first => tf.sub(tf.mul(first, cos!), rotateHalf(tf.mul(first, sin!))))],
  );
}

/** Applies a function to the first entries of the last axis, and leaves the others. */
function onFirst(count: number, x: tf.Tensor, fn: (first: tf.Tensor) => tf.Tensor): tf.Tensor {
  const size = x.shape.at(-1)!;
  if (count === size) return fn(x);
  const [leading, starts] = [x.shape.slice(0, -1), x.shape.slice(0, -1).map(() => 0)];
  const rest = tf.slice(x, [...starts, count], [...leading, size - count]);
  return tf.concat([fn(tf.slice(x, [...starts, 0], [...leading, count])), rest], -1);
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
