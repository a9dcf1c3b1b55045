import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { embedding, hasTrainable, isTrainable, layerNorm, linear, linearCrossEntropy, rmsNorm } from '../src/index.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const values = (shape: number[], start = 0.3): tf.Tensor =>
  tf.tidy(() => tf.reshape(tf.sin(tf.range(start, start + tf.util.sizeFromShape(shape))), shape));
const x = values([3, 4]);
const targets = { labels: tf.tensor1d([1, 0, 2], 'int32'), weights: tf.tensor1d([1, 0.5, 2]) };
const indices = tf.tensor1d([1, 1, 2], 'int32');

/** Each operation that asks whether its weights are trained, beside the same in plain operations of tfjs. */
const operations: Record<
  string,
  { shape: number[]; ours: (w: tf.Tensor) => tf.Tensor; plain: (w: tf.Tensor) => tf.Tensor }
> = {
  linear: { shape: [5, 4], ours: w => linear(x, w), plain: w => tf.matMul(x, w, false, true) },
  'linear, inOut': { shape: [4, 5], ours: w => linear(x, w, { layout: 'inOut' }), plain: w => tf.matMul(x, w) },
  'bias of linear': {
    shape: [5],
    ours: w => linear(x, values([5, 4]), { bias: w }),
    plain: w => tf.add(tf.matMul(x, values([5, 4]), false, true), w),
  },
  rmsNorm: {
    shape: [4],
    ours: w => rmsNorm(x, w, 1e-5),
    plain: w => tf.mul(tf.div(x, tf.sqrt(tf.add(tf.mean(tf.square(x), -1, true), 1e-5))), w),
  },
  'weight of layerNorm': {
    shape: [4],
    ours: w => layerNorm(x, w, values([4]), 1e-5),
    plain: w => tf.add(tf.mul(layerNorm(x, tf.ones([4]), tf.zeros([4]), 1e-5), w), values([4])),
  },
  'bias of layerNorm': {
    shape: [4],
    ours: w => layerNorm(x, values([4]), w, 1e-5),
    plain: w => tf.add(layerNorm(x, values([4]), tf.zeros([4]), 1e-5), w),
  },
  embedding: { shape: [4, 2], ours: w => embedding(w, indices), plain: w => tf.gather(w, indices) },
  linearCrossEntropy: {
    shape: [5, 4],
    ours: w => linearCrossEntropy(x, w, targets),
    plain: w => {
      const logits = tf.logSoftmax(tf.matMul(x, w, false, true));
      const labelled = tf.sum(tf.mul(logits, tf.oneHot(targets.labels, 5)), -1);
      return tf.neg(tf.sum(tf.mul(targets.weights, labelled)));
    },
  },
};

/** How a model may compute a weight from a parameter. */
const ways: Record<string, (w: tf.Tensor) => tf.Tensor> = {
  'a product': w => tf.mul(w, 2),
  'Gemma’s 1 + w': w => tf.add(w, 1),
  'several steps': w => tf.tanh(tf.add(tf.reshape(tf.transpose(tf.transpose(w)), w.shape), tf.square(w))),
};

describe('a weight that is computed from a trainable one', () => {
  for (const [name, { shape, ours, plain }] of Object.entries(operations)) {
    for (const [way, compute] of Object.entries(ways)) {
      it(`gets its gradient through ${name}, by ${way}`, async () => {
        const weight = tf.variable(values(shape));
        const score = (result: tf.Tensor): tf.Scalar => tf.sum(tf.mul(result, tf.cos(result)));
        const gradient = (run: typeof ours): tf.Tensor =>
          tf.engine().gradients(() => score(run(compute(weight))), [weight]).grads[0]!;
        const [a, b] = [await gradient(ours).data(), await gradient(plain).data()];
        expect(a.some(Math.abs)).toBe(true);
        a.forEach((value, i) => expect(value).toBeCloseTo(b[i]!, 4));
      });
    }
  }

  it('is known as trainable while the tape runs, and one from frozen weights is not', () => {
    const trained = tf.variable(values([4]));
    const frozen = tf.variable(values([4]), false);
    const seen: boolean[] = [];
    tf.engine().gradients(() => {
      const computed = tf.add(tf.mul(trained, 3), frozen);
      seen.push(isTrainable(computed), hasTrainable({ computed }));
      seen.push(isTrainable(tf.add(tf.mul(frozen, 3), values([4]))), isTrainable(values([4])));
      return tf.sum(tf.mul(computed, frozen));
    }, [trained]);
    expect(seen).toEqual([true, true, false, false]);
    expect(isTrainable(tf.add(trained, 1))).toBe(false);
  });
});
