import * as tf from '@tensorflow/tfjs';
import { bools, call, floats, ints, kase, type KernelCase, listed } from '../kernelCase.ts';

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

const transposes = [
  [false, false],
  [false, true],
  [true, false],
  [true, true],
] as const;

const turned = (isTurned: boolean, rows: number, columns: number): number[] =>
  isTurned ? [columns, rows] : [rows, columns];

const matMulCases = transposes.flatMap(([tA, tB]) => {
  const name = `${tA ? 'aᵀ' : 'a'}·${tB ? 'bᵀ' : 'b'}`;
  return [[], [2], [2, 3]].map(batch =>
    kase(
      `${name} batch [${batch.join()}]`,
      [floats([...batch, ...turned(tA, 3, 5)]), floats([...batch, ...turned(tB, 5, 4)], -1, 1, 2)],
      (a, b) => tf.matMul(a, b, tA, tB),
    ),
  );
});

const activations = ['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'leakyrelu'] as const;

export const otherCases = {
  Identity: [kase('float32', [x3], x => tf.clone(x))],
  Cast: [
    kase('float32 to int32', [listed(-1.7, -0.2, 0.9, 5)], x => tf.cast(x, 'int32')),
    kase('float32 to bool', [listed(-1, 0, 0.1, NaN)], x => tf.cast(x, 'bool')),
    kase('int32 to float32', [whole], x => tf.cast(x, 'float32')),
    kase('int32 to bool', [ints([3], [0, 2, -1])], x => tf.cast(x, 'bool')),
    kase('bool to float32', [truth], x => tf.cast(x, 'float32')),
    kase('bool to int32', [truth], x => tf.cast(x, 'int32')),
    kase('float32 to float32', [x3], x => tf.cast(x, 'float32')),
  ],

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

  BatchMatMul: [
    ...matMulCases,
    kase('b without batch', [floats([2, 3, 5]), floats([5, 4], -1, 1, 2)], (a, b) => tf.matMul(a, b)),
    kase('a without batch', [floats([3, 5]), floats([2, 5, 4], -1, 1, 2)], (a, b) => tf.matMul(a, b)),
    kase('int32', [ints([2, 2], [1, 2, 3, 4]), ints([2, 2], [5, 6, 7, 8])], (a, b) => tf.matMul(a, b), {
      fallback: 'ONNX Runtime multiplies float matrices',
    }),
  ],
  _FusedMatMul: [
    ...activations.map(activation =>
      kase(
        activation,
        [floats([3, 5]), floats([5, 4], -1, 1, 2), floats([4], -1, 1, 3)],
        (a, b, bias) => tf.fused.matMul({ a: a, b: b, bias: bias, activation }),
        activation === 'leakyrelu' || activation === 'sigmoid'
          ? { noGradient: 'tfjs does not fuse it under a gradient' }
          : {},
      ),
    ),
    kase('prelu, bᵀ, no bias', [floats([3, 5]), floats([4, 5], -1, 1, 2), floats([4], 0.1, 0.9, 3)], (a, b, weights) =>
      tf.fused.matMul({
        a: a,
        b: b,
        transposeB: true,
        activation: 'prelu',
        preluActivationWeights: weights,
      }),
    ),
  ],
  Einsum: [
    kase('matrix product', [floats([3, 5]), floats([5, 4], -1, 1, 2)], (a, b) => tf.einsum('ij,jk->ik', a, b)),
    kase('transposed sum', [x3], x => tf.einsum('ijk->kj', x)),
    kase('batched', [floats([2, 3, 5]), floats([2, 4, 5], -1, 1, 2)], (a, b) => tf.einsum('bij,bkj->bik', a, b)),
  ],

  Softmax: [
    kase('last axis', [x3], x => tf.softmax(x)),
    kase('large numbers', [listed(1000, 999, -1000)], x => tf.softmax(x)),
  ],
  LogSoftmax: [
    kase('last axis', [x3], x => call('LogSoftmax', { logits: x }, { axis: -1 }), {
      expected: x => tf.logSoftmax(x),
    }),
  ],
  Cumsum: [
    kase('last axis', [x3], x => tf.cumsum(x, 2)),
    kase('exclusive, reversed', [x3], x => tf.cumsum(x, 2, true, true)),
    kase('first axis', [floats([4, 3])], x => tf.cumsum(x, 0), {
      noGradient: "tfjs's own is wrong off the last axis",
    }),
    kase('int32', [whole], x => tf.cumsum(x, 1)),
  ],
  Cumprod: [false, true].flatMap(exclusive =>
    [false, true].flatMap(reverse => [
      kase(`exclusive ${exclusive}, reversed ${reverse}`, [floats([3, 7])], x => tf.cumprod(x, 1, exclusive, reverse)),
      kase(`first axis, ${exclusive}, ${reverse}`, [floats([5, 2])], x => tf.cumprod(x, 0, exclusive, reverse)),
    ]),
  ),

  Reshape: [
    kase('with −1', [x3], x => tf.reshape(x, [6, -1])),
    kase('to scalar', [floats([1, 1])], x => tf.reshape(x, [])),
  ],
  ExpandDims: [kase('last', [x3], x => tf.expandDims(x, -1)), kase('first', [x3], x => tf.expandDims(x, 0))],
  Transpose: [
    kase('rank 3', [x3], x => tf.transpose(x, [2, 0, 1])),
    kase('rank 4', [floats([2, 3, 4, 2])], x => tf.transpose(x, [0, 2, 1, 3])),
    kase('as it is', [x3], x => tf.transpose(x, [0, 1, 2])),
  ],
  BroadcastTo: [
    kase('rows', [floats([3, 1])], x => call('BroadcastTo', { x: x }, { shape: [3, 4], inputShape: [3, 1] }), {
      expected: x => tf.broadcastTo(x, [3, 4]),
    }),
  ],
  Tile: [
    kase('broadcast', [floats([3, 1])], x => tf.tile(x, [1, 3])),
    kase('repeated', [floats([3, 2])], x => tf.tile(x, [2, 3])),
    kase('int32', [whole], x => tf.tile(x, [2, 1])),
  ],
  Slice: [
    kase('inside', [x3], x => tf.slice(x, [0, 1, 0], [-1, 2, 3])),
    kase('whole', [x3], x => tf.slice(x, [0, 0, 0], [2, 3, 4])),
    kase('empty', [x3], x => tf.slice(x, [0, 0, 0], [2, 0, 4])),
  ],
  StridedSlice: [
    kase('steps', [floats([7, 6])], x => tf.stridedSlice(x, [1, 0], [7, 6], [2, 3])),
    kase('backwards', [floats([7])], x => tf.stridedSlice(x, [5], [0], [-2])),
    kase('backwards to the front', [floats([7])], x => tf.stridedSlice(x, [-1], [0], [-1], 0, 1)),
    kase('masks', [floats([4, 5, 6])], x => tf.stridedSlice(x, [1, 0, 2], [2, 3, 5], [1, 1, 1], 2, 4, 0, 0, 1)),
  ],
  Reverse: [kase('one axis', [x3], x => tf.reverse(x, 1)), kase('all axes', [x3], x => tf.reverse(x))],
  SplitV: [
    kase('by sizes', [x3], x => tf.concat(tf.split(x, [1, 3], 2).reverse(), 2)),
    kase('equal parts', [x3], x => tf.split(x, 2, -1)),
  ],
  Concat: [
    kase('middle axis', [x3, floats(A, 0, 1, 4)], (a, b) => tf.concat([a, b], 1)),
    kase('int32', [whole, whole], (a, b) => tf.concat([a, b], -1)),
    kase('bool', [truth, truth], (a, b) => tf.concat([a, b], 0)),
  ],
  Pack: [
    kase('middle', [x3, floats(A, 0, 1, 4)], (a, b) => tf.stack([a, b], 1)),
    kase('last', [x3, floats(A, 0, 1, 4)], (a, b) => tf.stack([a, b], -1)),
  ],
  Unpack: [kase('middle', [x3], x => tf.unstack(x, 1)), kase('last', [x3], x => tf.stack(tf.unstack(x, -1).reverse()))],
  PadV2: [
    kase('with 0.5', [x3], x => tf.pad(x, [[0, 1], [2, 0], [1, 1]], 0.5)), // prettier-ignore
    kase('with −∞', [floats([3])], x => tf.pad(x, [[1, 0]], -Infinity)),
    kase('with ∞', [floats([3])], x => tf.pad(x, [[1, 0]], Infinity)),
    kase('int32', [whole], x => tf.pad(x, [[0, 1], [1, 0]], 7)), // prettier-ignore
  ],

  GatherV2: [
    kase('rows', [floats([5, 3]), ints([2, 2], [4, 0, 1, 1])], (x, i) => tf.gather(x, i)),
    kase('columns', [floats([5, 3]), ints([2], [2, 0])], (x, i) => tf.gather(x, i, 1)),
    kase('one a row', [floats([4, 5]), ints([4, 1], [4, 0, 1, 3])], (x, i) => tf.gather(x, i, 1, 1)),
    kase('batches', [floats([2, 3, 4]), ints([2, 2], [2, 0, 1, 1])], (x, i) => tf.gather(x, i, 1, 1), {
      fallback: 'ONNX gathers with batches along the last axis only',
    }),
  ],
  GatherNd: [
    kase('elements', [floats([3, 4]), ints([2, 2], [0, 1, 2, 3])], (x, i) => tf.gatherND(x, i)),
    kase('rows', [floats([3, 4]), ints([2, 1], [2, 0])], (x, i) => tf.gatherND(x, i)),
  ],
  ScatterNd: [
    kase('rows, twice the same', [ints([3, 1], [1, 3, 1]), floats([3, 2])], (i, x) => tf.scatterND(i, x, [5, 2])),
    kase('int32', [ints([2, 1], [0, 2]), ints([2], [7, 8])], (i, x) => tf.scatterND(i, x, [4])),
  ],
  TensorScatterUpdate: [
    kase('rows', [floats([4, 2]), ints([2, 1], [3, 0]), floats([2, 2], 5, 6, 2)], (x, i, u) =>
      tf.tensorScatterUpdate(x, i, u),
    ),
  ],
  UnsortedSegmentSum: [
    kase('rows', [floats([4, 3]), ints([4], [1, 0, 1, 2])], (x, i) => tf.unsortedSegmentSum(x, i as tf.Tensor1D, 3)),
    kase(
      'int32',
      [ints([4], [5, 6, 7, 8]), ints([4], [1, 0, 1, 1])],
      (x, i) => tf.unsortedSegmentSum(x, i as tf.Tensor1D, 2),
      {
        expected: (x, i) => tf.cast(tf.unsortedSegmentSum(x, i as tf.Tensor1D, 2), 'int32'),
      },
    ),
    kase(
      'ids outside',
      [floats([4, 3]), ints([4], [1, -1, 9, 0])],
      (x, i) => tf.unsortedSegmentSum(x, i as tf.Tensor1D, 3),
      {
        noGradient: 'tfjs gathers by the ids outside',
      },
    ),
  ],
  OneHot: [
    kase('int32', [ints([3], [0, 2, 1])], i => tf.oneHot(i, 4)),
    kase('outside', [ints([3], [-1, 2, 5])], i => tf.oneHot(i, 4)),
    kase('float32, matrix', [ints([2, 2], [0, 1, 1, 0])], i => tf.oneHot(i, 3, 2.5, -1, 'float32')),
  ],

  Fill: [kase('float32', [], () => tf.fill([2, 3], 1.5)), kase('int32', [], () => tf.fill([2], 7, 'int32'))],
  ZerosLike: [kase('float32', [x3], x => tf.zerosLike(x)), kase('bool', [truth], x => tf.zerosLike(x))],
  OnesLike: [kase('float32', [x3], x => tf.onesLike(x)), kase('int32', [whole], x => tf.onesLike(x))],
  Range: [
    kase('up', [], () => tf.range(0, 5, 1)),
    kase('down, int32', [], () => tf.range(9, 2, -3, 'int32')),
    kase('fractions', [], () => tf.range(0, 1, 0.3)),
    kase('none', [], () => tf.range(3, 3, 1)),
  ],
  LinSpace: [kase('five', [], () => tf.linspace(-1, 1, 5)), kase('one', [], () => tf.linspace(3, 9, 1))],
  DropbpAfter: [
    kase('after a matrix', [x3, floats([2, 2])], (x, y) => call('DropbpAfter', { x: x, y: y }), {
      expected: x => tf.clone(x),
      noGradient: 'OrtBackend.after has its own',
    }),
    kase(
      'after NaN and a scalar',
      [x3, listed(NaN), ints([], [3])],
      (x, y, z) => call('DropbpAfter', { x: x, y: y, z: z }),
      {
        expected: x => tf.clone(x),
      },
    ),
  ],
};
