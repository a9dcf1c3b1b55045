import * as tf from '@tensorflow/tfjs';
import { bools, floats, ints, kase, type KernelCase } from '../kernelCase.ts';

const A = [2, 3, 4];
const x3 = floats(A);
const truth = bools([2, 3], [1, 0, 1, 1, 1, 1]);
const whole = ints([2, 3], [3, -1, 4, 1, -5, 9]);

function topK(x: tf.Tensor, k: number): tf.Tensor[] {
  const { values, indices } = tf.topk(x, k);
  return [values, indices];
}

type Reduce = (x: tf.Tensor, axis?: number | number[], keepDims?: boolean) => tf.Tensor;

function reduction(run: Reduce, more: Partial<KernelCase> = {}): KernelCase[] {
  return [
    kase('all', [x3], x => run(x), more),
    kase('last axis, kept', [x3], x => run(x, -1, true), more),
    kase('first axis', [x3], x => run(x, 0), more),
    kase('two axes', [x3], x => run(x, [0, 2]), more),
    kase('scalar', [floats([])], x => run(x), more),
    kase('int32', [whole], x => run(x, 1), more),
  ];
}

export const reductionCases = {
  Sum: [...reduction(tf.sum), kase('bool', [truth], x => tf.sum(x, 1))],
  Prod: reduction(tf.prod, { noGradient: "tfjs's own is an approximation that divides" }),
  Mean: reduction(tf.mean),
  Max: reduction(tf.max),
  Min: reduction(tf.min),
  Any: [kase('axis', [truth], x => tf.any(x, 1)), kase('all', [truth], x => tf.any(x))],
  All: [kase('axis', [truth], x => tf.all(x, 1)), kase('all', [truth], x => tf.all(x))],
  ArgMax: [
    kase('last axis', [x3], x => tf.argMax(x, -1)),
    kase('first axis', [x3], x => tf.argMax(x, 0)),
    kase('int32, first of equal', [ints([2, 3], [1, 4, 4, 2, 2, 0])], x => tf.argMax(x, 1)),
  ],
  ArgMin: [kase('last axis', [x3], x => tf.argMin(x, -1)), kase('middle axis', [x3], x => tf.argMin(x, 1))],
  TopK: [
    kase('largest three', [floats([3, 7])], x => topK(x, 3)),
    kase('equal values', [ints([5], [2, 9, 9, 1, 2])], x => topK(x, 4)),
  ],
};
