import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, it } from 'vitest';
import { seededRandom } from '@dropbp/basics';
import { gradientCheck } from '@dropbp/testing';
import { doraNorms, rescale } from './dora.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const random = seededRandom(5);
const variable = (...shape: number[]): tf.Variable =>
  tf.variable(tf.tensor(Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => random.normal()), shape)); // prettier-ignore

it('finds the norms of the adapted weight without making it', async () => {
  const [weight, a, b] = [variable(5, 7), variable(2, 7), variable(5, 2)];
  const scaling = tf.scalar(-1.5);
  const adapted = tf.add(weight, tf.mul(tf.matMul(b, a), scaling));
  const expected = await tf.norm(adapted, 'euclidean', 1).data();
  const squares = tf.sum(tf.square(weight), 1);
  const actual = doraNorms({ squares, a, b, scaling, throughBase: tf.matMul(a, weight, false, true) });
  (await actual.data()).forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 5));
});

// V = W + s·B·A = [[5, 2], [4, −2]] of W = [[3, 4], [0, 2]], A = [[1, −1]], B = [[1], [2]] and s = 2.
it('gives what is computed by hand', async () => {
  const y = rescale({
    base: tf.tensor2d([[7, 2]]), // W · [1, 1]
    change: tf.tensor2d([[0, 0]]), // A · [1, 1] is 0
    magnitude: tf.tensor1d([10, 1]),
    norms: tf.tensor1d([Math.sqrt(29), Math.sqrt(20)]),
  });
  const [first, second] = await y.data();
  expect(first).toBeCloseTo(12.998674, 5);
  expect(second).toBeCloseTo(0.447214, 5);
});

it.each([false, true])(
  'has the gradients of its formula, the norms being constant; thinned input: %s',
  async isThinned => {
    const [base, change, magnitude, bias, other] = [variable(2, 3, 4), variable(2, 3, 4), variable(4), variable(4), variable(2, 3, 4)]; // prettier-ignore
    const norms = tf.tensor1d([1, 2, 0.5, 3]);
    const thinned = isThinned ? other : undefined;
    const ours = (): tf.Tensor => rescale({ base, thinned, change, magnitude, norms, bias, trainsBias: true });
    const linear = tf.sub(thinned ?? base, bias);
    const factor = tf.div(magnitude, norms);
    const expected = await tf.addN([base, tf.mul(linear, tf.sub(factor, 1)), tf.mul(change, factor)]).data();
    (await ours().data()).forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 5));
    const inputs = [base, change, magnitude, bias, ...(thinned === undefined ? [] : [thinned])];
    const { worst, where } = await gradientCheck(() => tf.sum(tf.square(ours())), inputs);
    expect(worst, where).toBeLessThan(5e-3);
  },
);
