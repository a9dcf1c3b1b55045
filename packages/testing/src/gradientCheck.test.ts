import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, it } from 'vitest';
import { expectClose } from './backend/outcome.ts';
import { gradientCheck } from './gradientCheck.ts';

beforeAll(() => tf.setBackend('cpu'));

/** The square of x, with what is said to be its gradient. */
function squared(x: tf.Variable, gradient: (dy: tf.Tensor) => tf.Tensor, value = tf.square): Promise<number> {
  const f = tf.customGrad(given => ({ value: tf.sum(value(given as tf.Tensor)), gradFunc: dy => gradient(dy) }));
  return gradientCheck(() => f(x), [x]).then(({ worst }) => worst);
}

it('tells a right gradient from a wrong one, and from none', async () => {
  const x = tf.variable(tf.tensor([1, 2, 3]));
  const right = (dy: tf.Tensor): tf.Tensor => tf.mul(tf.mul(2, dy), tf.tensor([1, 2, 3]));
  expect(await squared(x, right)).toBeLessThan(5e-3);
  expect(await squared(x, dy => tf.mul(right(dy), 1.1))).toBeGreaterThan(0.05);
  expect(await squared(x, dy => tf.mul(right(dy), 0))).toBeGreaterThan(1);
  expect(await squared(x, dy => tf.mul(right(dy), NaN))).toBe(Infinity);
  expect(await squared(x, dy => tf.mul(right(dy), tf.tensor([1, NaN, 1])))).toBe(Infinity);
  expect(await squared(x, right, given => tf.mul(given, NaN))).toBe(Infinity);
  x.dispose();
});

it('finds a difference beside an infinity', () => {
  const outcome = (values: number[]): { shape: number[]; dtype: string; values: number[] }[] => [
    { shape: [2], dtype: 'float32', values },
  ];
  expect(() => expectClose(outcome([1, -Infinity]), outcome([1, -Infinity]), 1e-5, 'largest')).not.toThrow();
  expect(() => expectClose(outcome([2, -Infinity]), outcome([1, -Infinity]), 1e-5, 'largest')).toThrow('2 for 1');
});
