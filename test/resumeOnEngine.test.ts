import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { expect, it } from 'vitest';
import { compose } from '@dropbp/compose';
import type { Adapter } from '@dropbp/core';
import { dropBP } from '@dropbp/dropbp';
import { createModel } from '@dropbp/models';
import { fullFineTune } from '@dropbp/peft-full';
import { lora } from '@dropbp/peft-lora';
import '@dropbp/tfjs-backend-ort';
import { textBatches } from '@dropbp/data';
import { cosine, train, type TrainOptions, type TrainStep } from '@dropbp/train';

const config = {
  ...{ model_type: 'llama', initializer_range: 0.3, vocab_size: 24, hidden_size: 16, intermediate_size: 32 },
  ...{ max_position_embeddings: 32, num_hidden_layers: 3, num_attention_heads: 2, num_key_value_heads: 1 },
};
const adapters: [string, () => Adapter][] = [
  ['LoRA', () => lora({ rank: 4, targetModules: 'all-linear', dropout: 0.1 })],
  ['all weights', () => fullFineTune()],
];

it.each(adapters)('a run of %s goes on as one that never stopped, bit for bit', async (_name, adapter) => {
  await tf.setBackend('ort');
  const directory = await mkdtemp(join(tmpdir(), 'dropbp-resume-'));
  /** The steps, and what is trained in the end. @param until - the step in which the run is killed */
  const run = async (checkpoints?: TrainOptions['checkpoints'], until = Infinity) => {
    const model = createModel(config, { seed: 2 });
    const tuned = compose(model, adapter(), dropBP({ rate: 0.4, seed: 4, allocation: 'reference' }));
    const tokens = Int32Array.from({ length: 600 }, (_, i) => (i * 5 + ((i * i) >> 3)) % 24);
    const options = { steps: 12, learningRate: 0.01, schedule: cosine({ warmupSteps: 2 }), accumulation: 2 };
    const steps: TrainStep[] = [];
    const batches = textBatches(tokens, { batch: 2, time: 16, seed: 1 });
    for await (const step of train(tuned, batches, { ...options, ...(checkpoints && { checkpoints }) })) {
      steps.push({ ...step, seconds: 0 });
      if (step.step === until) break;
    }
    const values = await Promise.all([...tuned.parameters.values()].map(async value => Array.from(await value.data())));
    tuned.dispose();
    model.dispose();
    return { steps, values };
  };
  const whole = await run();
  await run({ directory, every: 4 }, 7);
  const rest = await run({ directory, every: 4, resume: true });
  expect(rest.steps).toEqual(whole.steps.slice(4));
  expect(rest.values).toEqual(whole.values);
  await rm(directory, { recursive: true });
});
