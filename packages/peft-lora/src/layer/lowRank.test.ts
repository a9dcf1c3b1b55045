import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, it } from 'vitest';
import { seededRandom } from '@dropbp/basics';
import { withGradient } from '@dropbp/core';
import { gradientCheck, savedBytes } from '@dropbp/testing';
import { dropEntries, lowRank } from './lowRank.ts';
import { lowRankRows } from './lowRankRows.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const random = seededRandom(3);
const variable = (...shape: number[]): tf.Variable =>
  tf.variable(tf.tensor(Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => random.normal()), shape)); // prettier-ignore
const kept = (shape: number[]): tf.Tensor =>
  tf.tensor(Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => i % 3 !== 0), shape, 'bool'); // prettier-ignore

async function expectSame(actual: tf.Tensor, expected: tf.Tensor): Promise<void> {
  expect(actual.shape).toEqual(expected.shape);
  const [x, y] = [await actual.data(), await expected.data()];
  y.forEach((value, i) => expect(x[i]).toBeCloseTo(value, 5));
}

it.each([
  ['[batch, time, width]', [2, 3, 4]],
  ['[rows, width]', [6, 4]],
])('is the formula, with its gradients: %s', async (_, shape) => {
  const [x, a, b, bias] = [variable(...shape), variable(2, 4), variable(5, 2), variable(5)];
  const scaling = tf.scalar(1.5);
  for (const mask of [undefined, kept(shape)]) {
    for (const ofB of [undefined, bias]) {
      const keepRate = mask === undefined ? 1 : 0.75;
      const ours = (): tf.Tensor => lowRank(x, { a, b, scaling, kept: mask, bias: ofB }, keepRate);
      const plain = (): tf.Tensor => {
        const input = mask === undefined ? x : tf.div(tf.mul(x, tf.cast(mask, 'float32')), keepRate);
        const wide = tf.matMul(tf.matMul(tf.reshape(input, [-1, 4]), a, false, true), b, false, true);
        return tf.reshape(tf.mul(ofB === undefined ? wide : tf.add(wide, ofB), scaling), [...shape.slice(0, -1), 5]);
      };
      await expectSame(ours(), plain());
      const inputs = [x, a, b, ...(ofB === undefined ? [] : [ofB])];
      const { worst, where } = await gradientCheck(() => tf.sum(tf.square(ours())), inputs);
      expect(worst, where).toBeLessThan(5e-3);
    }
  }
});

it('holds the narrow product alone, besides the input', () => {
  const [x, a, b] = [variable(2, 3, 40), variable(2, 40), variable(50, 2)];
  const tensors = { a, b, scaling: tf.scalar(2) };
  expect(savedBytes(() => sumOf(lowRank(x, tensors, 1)), [x, a, b], [x])).toBe(6 * 2 * 4);
});

it('drops entries as dropout does, holding the mask alone', async () => {
  const x = variable(2, 3, 4);
  const mask = kept([2, 3, 4]);
  await expectSame(dropEntries(x, mask, 0.75), tf.div(tf.mul(x, tf.cast(mask, 'float32')), 0.75));
  const { worst, where } = await gradientCheck(() => tf.sum(tf.square(dropEntries(x, mask, 0.75))), [x]);
  expect(worst, where).toBeLessThan(5e-3);
  expect(savedBytes(() => sumOf(dropEntries(x, mask, 0.75)), [x])).toBe(24);
});

it('changes looked-up rows as it changes the table, with its gradients', async () => {
  const [a, b] = [variable(2, 7), variable(5, 2)];
  const scaling = tf.scalar(1.5);
  const indices = tf.tensor2d([[1, 6, 1], [0, 3, 3]], [2, 3], 'int32'); // prettier-ignore
  const ours = (): tf.Tensor => lowRankRows(indices, { a, b, scaling });
  const table = tf.mul(tf.matMul(a, b, true, true), scaling);
  await expectSame(ours(), tf.gather(table, indices));
  const { worst, where } = await gradientCheck(() => tf.sum(tf.square(ours())), [a, b]);
  expect(worst, where).toBeLessThan(5e-3);
});

/** A sum that holds nothing of its own. */
function sumOf(x: tf.Tensor): tf.Tensor {
  return withGradient(
    [x],
    () => tf.sum(x),
    dy => [tf.mul(tf.ones(x.shape), dy)],
  );
}
