import * as tf from '@tensorflow/tfjs';
import { expect, it } from 'vitest';
import { compose, type LossFunction } from '@dropbp/compose';
import { textBatches } from '@dropbp/data';
import { dropBP } from '@dropbp/dropbp';
import { createModel } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';
import { ortBackend } from '@dropbp/tfjs-backend-ort';
import { evaluateLoss, optimizerFrom, train } from '@dropbp/train';

const VOCAB = 24;

/** Cross-entropy against targets of which a tenth is spread over all tokens. */
const smoothedLoss: LossFunction = (logits, { labels }) => {
  const [rows, time] = logits.shape as [number, number, number];
  const predicted = tf.logSoftmax(tf.slice(logits, [0, 0, 0], [rows, time - 1, VOCAB]));
  const right = tf.oneHot(tf.slice(labels, [0, 1], [rows, time - 1]), VOCAB);
  const targets = tf.add(tf.mul(right, 0.9), 0.1 / VOCAB);
  return tf.neg(tf.mean(tf.sum(tf.mul(targets, predicted), -1)));
};

/** Some steps with a loss and an optimiser of one's own, sensitivities measured on the way. */
async function run(backend: string): Promise<{ losses: number[]; dropped: boolean[][]; heldOut: number }> {
  await tf.setBackend(backend);
  const sizes = { vocab_size: VOCAB, hidden_size: 8, intermediate_size: 16, max_position_embeddings: 32 };
  const heads = { num_hidden_layers: 3, num_attention_heads: 2, num_key_value_heads: 1 };
  const model = createModel({ model_type: 'llama', initializer_range: 0.3, ...sizes, ...heads }, { seed: 2 });
  const adapter = lora({ rank: 4, targetModules: 'all-linear', seed: 1 });
  const tuned = compose(model, adapter, dropBP({ rate: 0.5, seed: 4 }), { loss: smoothedLoss });
  const signs = optimizerFrom({
    name: 'signs',
    learningRate: 0.02,
    update: ({ value, gradient, learningRate }) => ({
      value: tf.sub(value, tf.mul(tf.sign(gradient), learningRate)),
    }),
  });
  const tokens = Int32Array.from({ length: 400 }, (_, i) => (i * 5) % VOCAB);
  const batches = (seed: number, steps: number) => textBatches(tokens, { batch: 2, time: 12, seed, steps });
  const losses: number[] = [];
  const dropped: boolean[][] = [];
  for await (const step of train(tuned, batches(1, 20), { steps: 20, optimizer: signs })) {
    losses.push(step.loss);
    dropped.push([...step.droppedBranches[0]!]);
  }
  const heldOut = await evaluateLoss(tuned, batches(2, 2));
  signs.dispose();
  tuned.dispose();
  model.dispose();
  return { losses, dropped, heldOut };
}

it('a loss and an optimiser of one’s own do on the engine what they do elsewhere, branches dropped too', async () => {
  const plain = await run('cpu');
  const compiled = await run('ort');
  expect(ortBackend().fallbacks()).toEqual(new Map());
  expect(compiled.dropped).toEqual(plain.dropped);
  expect(plain.dropped.flat()).toContain(true);
  compiled.losses.forEach((loss, i) => expect(loss / plain.losses[i]!).toBeCloseTo(1, 3));
  expect(compiled.heldOut / plain.heldOut).toBeCloseTo(1, 3);
  expect(compiled.heldOut).toBeLessThan(0.7 * plain.losses[0]!);
});
