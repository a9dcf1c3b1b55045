import * as tf from '@tensorflow/tfjs';
import { floats, ints, kase } from '../kernelCase.ts';

const transposes = [
  [false, false],
  [false, true],
  [true, false],
  [true, true],
] as const;

const turned = (isTurned: boolean, rows: number, columns: number): number[] =>
  isTurned ? [columns, rows] : [rows, columns];

const transposed = transposes.flatMap(([tA, tB]) => {
  const name = `${tA ? 'aᵀ' : 'a'}·${tB ? 'bᵀ' : 'b'}`;
  return [[], [2], [2, 3]].map(batch =>
    kase(
      `${name} batch [${batch.join()}]`,
      [floats([...batch, ...turned(tA, 3, 5)]), floats([...batch, ...turned(tB, 5, 4)], -1, 1, 2)],
      (a, b) => tf.matMul(a, b, tA, tB),
    ),
  );
});

const unsummed = { noGradient: "tfjs's own does not sum over the batches" };
const none = { noGradient: 'tfjs has none' };

const activations = ['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'leakyrelu'] as const;

export const matMulCases = {
  BatchMatMul: [
    ...transposed,
    kase('b without batch', [floats([2, 3, 5]), floats([5, 4], -1, 1, 2)], (a, b) => tf.matMul(a, b), unsummed),
    kase('a without batch', [floats([3, 5]), floats([2, 5, 4], -1, 1, 2)], (a, b) => tf.matMul(a, b), unsummed),
    kase('int32', [ints([2, 2], [1, 2, 3, 4]), ints([2, 2], [5, 6, 7, 8])], (a, b) => tf.matMul(a, b)),
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
    kase('matrix product', [floats([3, 5]), floats([5, 4], -1, 1, 2)], (a, b) => tf.einsum('ij,jk->ik', a, b), none),
    kase('transposed sum', [floats([2, 3, 4])], x => tf.einsum('ijk->kj', x), none),
    kase('batched', [floats([2, 3, 5]), floats([2, 4, 5], -1, 1, 2)], (a, b) => tf.einsum('bij,bkj->bik', a, b), none),
  ],
};
