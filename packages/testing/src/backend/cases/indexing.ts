import * as tf from '@tensorflow/tfjs';
import { floats, ints, kase } from '../kernelCase.ts';

export const indexingCases = {
  GatherV2: [
    kase('rows', [floats([5, 3]), ints([2, 2], [4, 0, 1, 1])], (x, i) => tf.gather(x, i)),
    kase('columns', [floats([5, 3]), ints([2], [2, 0])], (x, i) => tf.gather(x, i, 1)),
    kase('one a row', [floats([4, 5]), ints([4, 1], [4, 0, 1, 3])], (x, i) => tf.gather(x, i, 1, 1)),
    kase('batches', [floats([2, 3, 4]), ints([2, 2], [2, 0, 1, 1])], (x, i) => tf.gather(x, i, 1, 1)),
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
};
