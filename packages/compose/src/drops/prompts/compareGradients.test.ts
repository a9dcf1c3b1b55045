import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, it } from 'vitest';
import { compareGradients } from './compareGradients.ts';

beforeAll(() => tf.setBackend('cpu'));

const gradients = (entries: Record<string, tf.TensorLike>): Map<string, tf.Tensor> =>
  new Map(Object.entries(entries).map(([name, values]) => [name, tf.tensor(values)]));

it('adds up the products of all parameters, of any rank', async () => {
  const whole = gradients({ a: [[1, 2], [3, 4]], b: [2, -1], c: 3 }); // prettier-ignore
  const partial = gradients({ a: [[1, 0], [0, 1]], b: [1, 1], c: 2 }); // prettier-ignore
  const before = tf.memory().numTensors;
  expect(await compareGradients(whole, partial, whole)).toEqual({ both: 5 + 1 + 6, whole: 30 + 5 + 9, partial: 8 });
  expect(tf.memory().numTensors).toBe(before);
});

it('counts a gradient that is missing as zero', async () => {
  const whole = gradients({ a: [3, 4], b: [1] });
  expect(await compareGradients(whole, gradients({ b: [2] }), whole)).toEqual({ both: 2, whole: 26, partial: 4 });
});

it('divides by what the optimizer divides by, and leaves out what it has not seen', async () => {
  const whole = gradients({ a: [3, 4], b: [100] });
  const partial = gradients({ a: [1, 2], b: [50] });
  const before = tf.memory().numTensors;
  const divisorOf = (name: string): tf.Tensor | undefined => (name === 'a' ? tf.tensor1d([2, 4]) : undefined);
  expect(await compareGradients(whole, partial, whole, divisorOf)).toEqual({
    both: 3 / 2 + 8 / 4,
    whole: 9 / 2 + 16 / 4,
    partial: 1 / 2 + 4 / 4,
  });
  expect(tf.memory().numTensors).toBe(before);
});
