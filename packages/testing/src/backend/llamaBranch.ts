import { seededRandom } from '@dropbp/basics';
import * as tf from '@tensorflow/tfjs';

/** Small Llama branches in plain tfjs, as a model would write them. */
export interface Sizes {
  readonly batch: number;
  readonly time: number;
  readonly hidden: number;
  readonly heads: number;
  readonly groups: number;
  readonly dim: number;
  readonly inner: number;
  readonly rank: number;
}

export const tiny: Sizes = { batch: 1, time: 6, hidden: 12, heads: 4, groups: 2, dim: 4, inner: 20, rank: 2 };

export type Named = Record<string, tf.Tensor>;

function rmsNorm(x: tf.Tensor, weight: tf.Tensor): tf.Tensor {
  return tf.mul(tf.mul(x, tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), 1e-5))), weight);
}

/** x · Wᵀ, and LoRA where its matrices are there. */
function linear(x: tf.Tensor, p: Named, name: string): tf.Tensor {
  const rows = tf.reshape(x, [-1, x.shape.at(-1)!]);
  const y = tf.matMul(rows, p[name] as tf.Tensor2D, false, true);
  const [a, b, scaling] = [p[`${name}.A`], p[`${name}.B`], p[`${name}.scaling`]];
  const low = a && b && tf.matMul(tf.matMul(rows, a as tf.Tensor2D, false, true), b, false, true);
  const sum = low ? tf.add(y, tf.mul(low, scaling!)) : y;
  return tf.reshape(sum, [...x.shape.slice(0, -1), sum.shape[1]!]);
}

function rotate(x: tf.Tensor, cos: tf.Tensor, sin: tf.Tensor): tf.Tensor {
  const [left, right] = tf.split(x, 2, -1);
  return tf.add(tf.mul(x, cos), tf.mul(tf.concat([tf.neg(right!), left!], -1), sin));
}

/** What is added to p.x by grouped-query attention with rotary positions, [batch, time, hidden]. */
export function attention(sizes: Sizes): (p: Named) => tf.Tensor {
  const { batch, time, heads, groups, dim } = sizes;
  return p => {
    const h = rmsNorm(p.x!, p.norm!);
    const split = (name: string, count: number): tf.Tensor =>
      tf.transpose(tf.reshape(linear(h, p, name), [batch, time, count, dim]), [0, 2, 1, 3]);
    const q = rotate(split('q', heads), p.cos!, p.sin!);
    const k = rotate(split('k', groups), p.cos!, p.sin!);
    const v = split('v', groups);
    const share = heads / groups;
    // The heads of a group share its keys: they become rows of one matrix.
    const rows = tf.reshape(q, [batch, groups, share * time, dim]);
    const scores = tf.reshape(tf.mul(tf.matMul(rows, k, false, true), 1 / Math.sqrt(dim)), [
      batch,
      groups,
      share,
      time,
      time,
    ]);
    const masked = tf.where(tf.cast(p.mask!, 'bool'), scores, -1e9);
    const weights = tf.reshape(tf.softmax(masked), [batch, groups, share * time, time]);
    const mixed = tf.reshape(tf.matMul(weights, v), [batch, heads, time, dim]);
    return linear(tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [batch, time, heads * dim]), p, 'o');
  };
}

/** What is added to p.x by a SwiGLU network. */
export function mlp(p: Named): tf.Tensor {
  const h = rmsNorm(p.x!, p.norm!);
  const gate = linear(h, p, 'gate');
  return linear(tf.mul(tf.mul(gate, tf.sigmoid(gate)), linear(h, p, 'up')), p, 'down');
}

/** Tensors of a seed on the active backend, the same numbers on each. */
export function drawer(seed: number): (shape: number[], scale?: number) => tf.Tensor {
  const random = seededRandom(seed);
  return (shape, scale = 1) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return tf.tensor(
      Float32Array.from({ length: size }, () => scale * (2 * random() - 1)),
      shape,
    );
  };
}

/** Weights of an attention branch: trainable LoRA matrices on q and v, the rest frozen. */
export function attentionInputs(sizes: Sizes, seed: number, scaling = 2): { x: tf.Tensor; lora: Named; frozen: Named } {
  const { batch, time, hidden, heads, groups, dim, rank } = sizes;
  const draw = drawer(seed);
  const angles = tf.outerProduct(
    tf.range(0, time),
    tf.tensor1d(Array.from({ length: dim }, (_, i) => 10 ** -(i % (dim / 2)))),
  );
  return {
    x: draw([batch, time, hidden]),
    lora: {
      'q.A': draw([rank, hidden], 0.5),
      'q.B': draw([heads * dim, rank], 0.5),
      'v.A': draw([rank, hidden], 0.5),
      'v.B': draw([groups * dim, rank], 0.5),
    },
    frozen: {
      norm: draw([hidden]),
      q: draw([heads * dim, hidden], 0.5),
      k: draw([groups * dim, hidden], 0.5),
      v: draw([groups * dim, hidden], 0.5),
      o: draw([hidden, heads * dim], 0.5),
      'q.scaling': tf.scalar(scaling),
      'v.scaling': tf.scalar(scaling / 2),
      cos: tf.cos(angles),
      sin: tf.sin(angles),
      mask: tf.tensor(
        Array.from({ length: time * time }, (_, i) => Number(i % time <= Math.floor(i / time))),
        [time, time],
        'int32',
      ),
    },
  };
}

export function mlpInputs(sizes: Sizes, seed: number): { x: tf.Tensor; lora: Named; frozen: Named } {
  const { batch, time, hidden, inner, rank } = sizes;
  const draw = drawer(seed);
  return {
    x: draw([batch, time, hidden]),
    lora: { 'up.A': draw([rank, hidden], 0.5), 'up.B': draw([inner, rank], 0.5) },
    frozen: {
      norm: draw([hidden]),
      gate: draw([inner, hidden], 0.5),
      up: draw([inner, hidden], 0.5),
      down: draw([hidden, inner], 0.5),
      'up.scaling': tf.scalar(1.5),
    },
  };
}
