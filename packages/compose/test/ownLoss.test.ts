import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { crossEntropy, type Batch, type Model } from '@dropbp/core';
import { dropBP } from '@dropbp/dropbp';
import { lora } from '@dropbp/peft-lora';
import { toyBatch, toyModel } from '@dropbp/testing';
import { compose, type LossFunction } from '../src/index.ts';

let model: Model;
let batch: Batch;
beforeEach(async () => {
  await tf.setBackend('cpu');
  model = toyModel();
  batch = toyBatch();
});
afterEach(() => {
  model.dispose();
  tf.dispose([batch.inputIds, batch.labels]);
});

const adapter = () => lora({ rank: 2, targetModules: 'all-linear', seed: 3 });

/** What the packages compute chunk by chunk, written as one would write it. */
const plain: LossFunction = (logits, { labels }) => {
  const [rows, time, vocab] = logits.shape as [number, number, number];
  const next = tf.reshape(tf.slice(labels, [0, 1], [rows, time - 1]), [-1]);
  const predictions = tf.reshape(tf.slice(logits, [0, 0, 0], [rows, time - 1, vocab]), [-1, vocab]);
  const counts = tf.cast(tf.greaterEqual(next, 0), 'float32');
  const weights = tf.div(counts, tf.sum(counts));
  return crossEntropy(predictions, { labels: tf.cast(tf.maximum(next, 0), 'int32'), weights });
};

describe('a loss of one’s own', () => {
  it('that is the cross-entropy gives what the packages give: loss, gradients, sensitivities', async () => {
    const ours = compose(model, adapter(), dropBP({ rate: 0.3 }));
    const own = compose(model, adapter(), dropBP({ rate: 0.3 }), { loss: plain });
    const [a, b] = [await ours.valueAndGradients(batch, { step: 4 }), await own.valueAndGradients(batch, { step: 4 })];
    expect((await b.value.data())[0]).toBeCloseTo((await a.value.data())[0]!, 5);
    expect([...b.gradients.keys()]).toEqual([...a.gradients.keys()]);
    expect(b.tokens).toBe(a.tokens);
    for (const [name, gradient] of a.gradients) {
      const values = await b.gradients.get(name)!.data();
      (await gradient.data()).forEach((value, i) => expect(values[i], name).toBeCloseTo(value, 5));
    }
    expect((await (await own.loss(batch)).value.data())[0]).toBeCloseTo(
      (await (await ours.loss(batch)).value.data())[0]!,
      5,
    );
    const sensitivities = await ours.calibrate(batch);
    (await own.calibrate(batch)).forEach((value, i) => expect(value).toBeCloseTo(sensitivities[i]!, 4));
    tf.dispose([a.value, b.value, ...a.gradients.values(), ...b.gradients.values()]);
    ours.dispose();
    own.dispose();
  });
  it('leaves no tensor behind', async () => {
    const own = compose(model, adapter(), undefined, { loss: logits => tf.mean(tf.square(logits)) });
    const before = tf.memory().numTensors;
    const { value, gradients } = await own.valueAndGradients(batch);
    expect(gradients.size).toBeGreaterThan(0);
    tf.dispose([value, (await own.loss(batch)).value, ...gradients.values()]);
    expect(tf.memory().numTensors).toBe(before);
    own.dispose();
  });
  it('must be a loss', async () => {
    const own = compose(model, adapter(), undefined, { loss: logits => logits });
    await expect(own.loss(batch)).rejects.toThrow(
      /the loss function returned what is no loss; got "a tensor of float32 \[\d+, \d+, 13\]"; expected a scalar tensor/,
    );
    await expect(own.valueAndGradients(batch)).rejects.toThrow('no loss');
    own.dispose();
  });
});
