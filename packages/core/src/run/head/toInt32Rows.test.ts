import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { toInt32Rows } from './toInt32Rows.ts';

beforeAll(() => tf.setBackend('cpu'));

describe('toInt32Rows', () => {
  it('makes a tensor of rows, and takes one as it is', async () => {
    const made = toInt32Rows('tokens', [[1, 2], [3, 0]], { below: 4 }); // prettier-ignore
    expect([made.shape, made.dtype, Array.from(await made.data())]).toEqual([[2, 2], 'int32', [1, 2, 3, 0]]);
    expect(toInt32Rows('tokens', made, { below: 4, longest: 2, shape: [2, 2] })).toBe(made);
  });
  it.each<[unknown, object, string]>([
    [[], {}, 'tokens: nothing there'],
    [[[]], {}, 'tokens: nothing there'],
    [[[1, 2], [3]], {}, 'tokens: rows of different lengths; got "2 and 1"'],
    [[[1, 4]], {}, 'tokens: an unusable value at [0, 1]; got 4; expected an integer from 0 to 3'],
    [[[1], [-1]], {}, 'tokens: an unusable value at [1, 0]; got -1'],
    [[[0.5]], {}, 'tokens: an unusable value at [0, 0]; got 0.5'],
    [[[1, 2, 3]], { longest: 2 }, "tokens: the sequence is longer than the model's positions; got 3; expected at most 2"],
    [[[1, 2]], { shape: [1, 3] }, "tokens: not of the tokens' shape; got [1,2]; expected [1,3]"],
    ['float', {}, 'tokens: an unusable tensor; got "float32 [1,1]"'],
    ['flat', {}, 'tokens: an unusable tensor; got "int32 [2]"'],
  ])('refuses %j with %j', (rows, limits, message) => {
    const tensors: Record<string, tf.Tensor> = { float: tf.tensor2d([[1]]), flat: tf.tensor1d([1, 2], 'int32') };
    const given = (typeof rows === 'string' ? tensors[rows] : rows) as Parameters<typeof toInt32Rows>[1];
    expect(() => toInt32Rows('tokens', given, { below: 4, ...limits })).toThrow(message);
  }); // prettier-ignore
});
