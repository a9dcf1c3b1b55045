import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, it } from 'vitest';
import { seededRandom } from '@dropbp/basics';
import { withGradient } from '@dropbp/core';
import { gradientCheck, savedBytes } from '@dropbp/testing';
import { loraLinear } from './loraLinear.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const random = seededRandom(3);
const variable = (...shape: number[]): tf.Variable =>
  tf.variable(tf.tensor(Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => random.normal()), shape)); // prettier-ignore

it.each([
  ['[batch, time, width]', [2, 3, 4], [2, 3, 5]],
  ['[rows, width]', [6, 4], [6, 5]],
])('is the formula, with its gradients: %s', async (_, xShape, baseShape) => {
  const [base, x, a, b] = [variable(...baseShape), variable(...xShape), variable(2, 4), variable(5, 2)];
  const scaling = tf.scalar(1.5);
  const kept = tf.tensor(Array.from({ length: 24 }, (_, i) => i % 3 !== 0), xShape, 'bool'); // prettier-ignore
  for (const mask of [undefined, kept]) {
    const keepRate = mask === undefined ? 1 : 0.75;
    const ours = (): tf.Tensor => loraLinear(base, x, { a, b, scaling, kept: mask }, keepRate);
    const plain = (): tf.Tensor => {
      const input = mask === undefined ? x : tf.div(tf.mul(x, tf.cast(mask, 'float32')), keepRate);
      const narrow = tf.matMul(tf.reshape(input, [-1, 4]), a, false, true);
      return tf.add(base, tf.mul(tf.reshape(tf.matMul(narrow, b, false, true), baseShape), scaling));
    };
    const [actual, expected] = [await ours().data(), await plain().data()];
    expected.forEach((value, i) => expect(actual[i]).toBeCloseTo(value, 5));
    const { worst, where } = await gradientCheck(() => tf.sum(tf.square(ours())), [base, x, a, b]);
    expect(worst, where).toBeLessThan(5e-3);
  }
});

it('holds the input and the narrow product alone', () => {
  const [base, x, a, b] = [variable(2, 3, 50), variable(2, 3, 40), variable(2, 40), variable(50, 2)];
  const tensors = { a, b, scaling: tf.scalar(2) };
  expect(savedBytes(() => sumOf(loraLinear(base, x, tensors, 1)), [base, x, a, b], [x])).toBe(6 * 2 * 4);
});

/** A sum that holds nothing of its own. */
function sumOf(x: tf.Tensor): tf.Tensor {
  return withGradient(
    [x],
    () => tf.sum(x),
    dy => [tf.mul(tf.ones(x.shape), dy)],
  );
}
