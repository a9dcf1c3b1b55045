import * as tf from '@tensorflow/tfjs';
import { bools, call, floats, ints, kase } from '../kernelCase.ts';

const A = [2, 3, 4];
const x3 = floats(A);
const truth = bools([2, 3], [1, 0, 1, 1, 1, 1]);
const whole = ints([2, 3], [3, -1, 4, 1, -5, 9]);
const none = { noGradient: 'tfjs has none' };

export const shapingCases = {
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
    kase('steps', [floats([7, 6])], x => tf.stridedSlice(x, [1, 0], [7, 6], [2, 3]), none),
    kase('both ways', [floats([7, 6])], x => tf.stridedSlice(x, [4, 1], [0, 6], [-3, 2]), none),
    kase('backwards', [floats([7])], x => tf.stridedSlice(x, [5], [0], [-2]), none),
    kase('backwards to the front', [floats([7])], x => tf.stridedSlice(x, [-1], [0], [-1], 0, 1), none),
    kase('masks', [floats([4, 5, 6])], x => tf.stridedSlice(x, [1, 0, 2], [2, 3, 5], [1, 1, 1], 2, 4, 0, 0, 1), none),
  ],
  Reverse: [kase('one axis', [x3], x => tf.reverse(x, 1)), kase('all axes', [x3], x => tf.reverse(x))],
  SplitV: [
    kase('by sizes', [x3], x => tf.concat(tf.split(x, [1, 3], 2).toReversed(), 2)),
    kase('equal parts', [x3], x => tf.split(x, 2, -1)),
  ],
  Concat: [
    kase('middle axis', [x3, floats(A, 0, 1, 4)], (a, b) => tf.concat([a, b], 1)),
    kase('int32', [whole, whole], (a, b) => tf.concat([a, b], -1)),
    kase('bool', [truth, truth], (a, b) => tf.concat([a, b], 0)),
    kase('forty', [x3], x => tf.concat(Array.from({ length: 40 }, () => x))),
  ],
  Pack: [
    kase('middle', [x3, floats(A, 0, 1, 4)], (a, b) => tf.stack([a, b], 1)),
    kase('last', [x3, floats(A, 0, 1, 4)], (a, b) => tf.stack([a, b], -1)),
  ],
  Unpack: [
    kase('middle', [x3], x => tf.unstack(x, 1)),
    kase('last', [x3], x => tf.stack(tf.unstack(x, -1).toReversed())),
  ],
  PadV2: [
    kase('with 0.5', [x3], x => tf.pad(x, [[0, 1], [2, 0], [1, 1]], 0.5)), // prettier-ignore
    kase('with −∞', [floats([3])], x => tf.pad(x, [[1, 0]], -Infinity), { noDifferences: 'a result is infinite' }),
    kase('with ∞', [floats([3])], x => tf.pad(x, [[1, 0]], Infinity), { noDifferences: 'a result is infinite' }),
    kase('int32', [whole], x => tf.pad(x, [[0, 1], [1, 0]], 7)), // prettier-ignore
  ],
};
