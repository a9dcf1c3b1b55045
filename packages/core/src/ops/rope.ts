import * as tf from '@tensorflow/tfjs';
import { withGradient } from './withGradient.ts';

/**
 * Which values of a head turn together: those of its two `'halves'`, (i, i + turned/2), as in most models of Hugging Face, or
 * neighbouring `'pairs'`, (2i, 2i + 1), as in the paper.
 */
export type RopeLayout = 'halves' | 'pairs';

/**
 * Rotary position embedding: two by two, a head's first values are turned by an angle that grows with the position; values
 * behind them stay. Saves nothing but the tables. Source: Su et al., "RoFormer", 2021.
 *
 * @param x - `[batch, heads, time, size]`
 * @param cos - `[time, turned]`, or `[batch, 1, time, turned]` where sequences have positions of their own; see {@link ropeTables}
 * @param sin - of the same shape
 * @param layout - the one that the tables were made for. @defaultValue 'halves'
 */
export function rope(x: tf.Tensor, cos: tf.Tensor, sin: tf.Tensor, layout: RopeLayout = 'halves'): tf.Tensor {
  const turned = cos.shape.at(-1)!;
  const rotate = layout === 'halves' ? rotateHalves : rotatePairs;
  return withGradient(
    [x],
    save => {
      save([cos, sin]);
      return onFirst(turned, x, first => tf.add(tf.mul(first, cos), tf.mul(rotate(first), sin)));
    },
    (dy, [cos, sin]) => [onFirst(turned, dy, first => tf.sub(tf.mul(first, cos!), rotate(tf.mul(first, sin!))))],
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
function rotateHalves(x: tf.Tensor): tf.Tensor {
  const [a, b] = tf.split(x, 2, -1);
  return tf.concat([tf.neg(b!), a!], -1);
}

/** The same for the first and the second of each two neighbours. */
function rotatePairs(x: tf.Tensor): tf.Tensor {
  const pairs = tf.reshape(x, [...x.shape.slice(0, -1), x.shape.at(-1)! / 2, 2]);
  return tf.reshape(rotateHalves(pairs), x.shape);
}

/** The angle of each pair of values at position 1, for {@link ropeTables}. */
export type RopeFrequencies = readonly number[];

/**
 * Tables of cosines and sines, `[time, size]` each. The caller owns them.
 *
 * @param frequencies - one for each pair, `size / 2` of them
 * @param positions - the position of each token
 * @param scale - factor on both tables. @defaultValue 1
 * @param layout - which values turn together. @defaultValue 'halves'
 */
export function ropeTables(
  frequencies: RopeFrequencies,
  positions: readonly number[],
  scale: number = 1,
  layout: RopeLayout = 'halves',
): { cos: tf.Tensor; sin: tf.Tensor } {
  const half = frequencies.length;
  const cos = new Float32Array(positions.length * half * 2);
  const sin = new Float32Array(cos.length);
  positions.forEach((position, row) => {
    for (let i = 0; i < half; i++) {
      // transformers computes the angle in float32; rounding alike keeps long positions equal.
      const angle = Math.fround(position * Math.fround(frequencies[i]!));
      const [at, other] = layout === 'halves' ? [i, i + half] : [2 * i, 2 * i + 1];
      const start = row * half * 2;
      cos[start + at] = cos[start + other] = Math.cos(angle) * scale;
      sin[start + at] = sin[start + other] = Math.sin(angle) * scale;
    }
  });
  const shape: [number, number] = [positions.length, half * 2];
  return { cos: tf.tensor2d(cos, shape), sin: tf.tensor2d(sin, shape) };
}
