/**
 * A loss and an optimiser as plain functions: cross-entropy with smoothed labels, and Lion (Chen et al. 2023,
 * arXiv:2302.06675). Both work with every adapter, DropBP and checkpoints.
 */
import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { compose, type LossFunction } from '@dropbp/compose';
import { loadTokenizer, readText, textBatches } from '@dropbp/data';
import { dropBP } from '@dropbp/dropbp';
import { loadModel } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';
import { optimizerFrom, train } from '@dropbp/train';

/** A tenth of each target is spread over all tokens. Logits `[batch, time, vocabSize]`, those at t for the token at t + 1. */
const smoothed: LossFunction = (logits, { labels }) => {
  const [rows, time, vocab] = logits.shape as [number, number, number];
  const scores = tf.logSoftmax(tf.reshape(tf.slice(logits, [0, 0, 0], [rows, time - 1, vocab]), [-1, vocab]));
  const next = tf.reshape(tf.slice(labels, [0, 1], [rows, time - 1]), [-1]);
  const targets = tf.add(tf.mul(tf.oneHot(next, vocab), 0.9), 0.1 / vocab);
  return tf.neg(tf.mean(tf.sum(tf.mul(targets, scores), -1)));
};

const lion = optimizerFrom({
  name: 'lion',
  learningRate: 1e-3,
  stores: ['momentum'],
  update({ value, gradient, momentum, learningRate }) {
    const direction = tf.sign(tf.add(tf.mul(momentum, 0.9), tf.mul(gradient, 0.1)));
    return {
      value: tf.sub(value, tf.mul(direction, learningRate)),
      momentum: tf.add(tf.mul(momentum, 0.99), tf.mul(gradient, 0.01)),
    };
  },
});

const base = 'models/austen-base';
const tokens = (await loadTokenizer(base)).encode(await readText('examples/data/kjv.txt.gz'));
const adapter = lora({ rank: 8, targetModules: 'all-linear' });
const tuned = compose(await loadModel(base), adapter, dropBP({ rate: 0.5 }), { loss: smoothed });
const batches = textBatches(tokens, { batchSize: 4, seqLen: 64, seed: 1 });
for await (const { step, loss } of train(tuned, batches, { steps: 40, optimizer: lion })) {
  if (step % 10 === 0) console.log(`step ${step}: smoothed loss ${loss.toFixed(2)}`);
}
lion.dispose();
