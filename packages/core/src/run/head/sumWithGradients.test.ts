import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { sumWithGradients } from './sumWithGradients.ts';

beforeAll(() => tf.setBackend('cpu'));

describe('sumWithGradients', () => {
  // Σ (row · w)², times the factor of the part.
  const fn = ({ rows, 'trained:w': w, factor }: Record<string, tf.Tensor>): tf.Tensor =>
    tf.mul(tf.sum(tf.square(tf.mul(rows!, w!))), factor!);
  const own = (rows: tf.Tensor) => ({ rows, sizes: [1, 2], name: 'rows' });

  it('has the value and the gradients of the sum over all parts', async () => {
    const w = tf.variable(tf.tensor1d([1, -2]));
    const rows = tf.tensor2d([[1, 2], [3, 4], [5, 6]]); // prettier-ignore
    const parts = [1, 10].map(factor => ({
      differentiable: { 'trained:w': w },
      frozen: { factor: tf.scalar(factor) },
    }));
    const whole = tf.sum(tf.mul(tf.square(tf.mul(rows, w)), tf.tensor2d([[1], [10], [10]])));
    const plain = sumWithGradients(parts, [fn], fn, own(rows));
    expect(await plain.data()).toEqual(await whole.data());

    const twice = (rows: tf.Tensor): tf.Tensor => tf.mul(sumWithGradients(parts, [fn], fn, own(rows)), 2);
    const { value, grad } = tf.valueAndGrad(twice)(rows);
    expect((await value.data())[0]).toBe(2 * (await whole.data())[0]!);
    // 2 · factor · 2 · x · w²
    expect(Array.from(await grad.data())).toEqual([4, 32, 120, 640, 200, 960]);
    const { grads } = tf.variableGrads(() => tf.sum(tf.mul(sumWithGradients(parts, [fn], fn, own(rows)), 2)), [w]);
    // 2 · 2 · w · Σ factor · x²
    expect(Array.from(await grads[w.name]!.data())).toEqual([4 * (1 + 90 + 250), -8 * (4 + 160 + 360)]);
    w.dispose();
  });
});
