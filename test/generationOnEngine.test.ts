import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compose, type Tuned } from '@dropbp/compose';
import { makeRunnable, plainRunnable, type Hooks, type Model, type Runnable, type Subject } from '@dropbp/core';
import { createModel, generate } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';
import { greedyWithoutCache } from '@dropbp/testing';
import { ortBackend } from '@dropbp/tfjs-backend-ort';
import { countDevice, type DeviceCount } from './countDevice.ts';

const layers = 3;
const prompt = [3, 1, 4, 1, 5, 9, 2, 6];

let model: Model;
let device: DeviceCount;
beforeAll(async () => {
  await tf.setBackend('ort');
  model = createModel(
    {
      model_type: 'mistral',
      vocab_size: 24,
      hidden_size: 8,
      intermediate_size: 8,
      num_hidden_layers: layers,
      num_attention_heads: 2,
      num_key_value_heads: 1,
      sliding_window: 7,
      max_position_embeddings: 300,
      initializer_range: 0.5,
    },
    { seed: 5 },
  );
  device = countDevice(ortBackend().device);
});
afterAll(() => {
  device.stop();
  model.dispose();
});

async function collect(subject: Subject, tokens: readonly number[], count: number): Promise<number[]> {
  const before = tf.memory().numTensors;
  const generated: number[] = [];
  for await (const token of generate(subject, tokens, { maxNewTokens: count, stopTokens: [] })) generated.push(token);
  expect(tf.memory().numTensors).toBe(before);
  return generated;
}

describe('generation on the engine', () => {
  it('runs one session a branch, the embedding and the head for each token, and loads none', async () => {
    await collect(model, prompt, 2);
    device.reset();
    const generated = await collect(model, prompt, 20);
    const perToken = 2 * layers + 2;
    // The prompt takes one more: its last position is taken out.
    expect(device.runs).toBe(20 * perToken + 1);
    expect(device.loads).toBe(0);
    expect(generated).toEqual(await greedyWithoutCache(plainRunnable(model), prompt, 20));
  });

  it('loads nothing for a prompt of another length, up to the next size', async () => {
    await collect(model, prompt, 2);
    device.reset();
    for (const length of [1, 9, 31, 32]) {
      const other = Array.from({ length }, (_, i) => (i * 5 + 1) % 24);
      expect(await collect(model, other, 2)).toHaveLength(2);
    }
    expect(device.loads).toBe(0);
    await collect(model, [...prompt, ...Array<number>(25).fill(7)], 2);
    expect(device.loads).toBeGreaterThan(0);
  });

  it('goes on where the cache has to grow, and fills the positions', async () => {
    for (const [length, count] of [
      [125, 6],
      [131, 3],
      [298, 2],
    ] as const) {
      const long = Array.from({ length }, (_, i) => (i * i + 3) % 23);
      expect(await collect(model, long, count)).toEqual(await greedyWithoutCache(plainRunnable(model), long, count));
    }
  });

  it('works adapters in: trained weights in the branches, keys in front of them, tokens in front of all', async () => {
    const short = prompt.slice(0, 2);
    const plain = await collect(model, short, 12);
    const tuned: Tuned = compose(model, lora({ rank: 2, alpha: 8, targetModules: ['q_proj', 'v_proj', 'down_proj'] }));
    for (const variable of tuned.parameters.values()) variable.assign(tf.randomNormal(variable.shape, 0, 0.5, 'float32', 9)); // prettier-ignore
    const keys = tf.randomNormal([1, 1, 3, 4], 0, 3, 'float32', 4);
    const virtual = tf.randomNormal([1, 5, 8], 0, 1, 'float32', 3);
    const withHooks = (hooks: Hooks): Runnable => makeRunnable(model, model.parameters, hooks, new Set());
    const inFront: Hooks = {
      keyValue: (_, pair) => ({ keys: tf.concat([keys, pair.keys], 2), values: tf.concat([keys, pair.values], 2) }),
    };
    const adapted: Runnable[] = [
      tuned.internal,
      { ...withHooks(inFront), virtualKeys: 3 },
      { ...withHooks({ embed: (_, x) => tf.concat([virtual, x], 1) }), virtualTokens: 5 },
    ];
    for (const runnable of adapted) {
      const generated = await collect(runnable, short, 12);
      expect(generated).toEqual(await greedyWithoutCache(runnable, short, 12));
      expect(generated).not.toEqual(plain);
    }
    tuned.dispose();
    tf.dispose([keys, virtual]);
  });

  it('shares sessions among branches before and behind the first that trains', async () => {
    const loadsFor = async (rank: number): Promise<number> => {
      const tuned = compose(model, lora({ rank, targetModules: ['q_proj', 'down_proj'] }));
      device.reset();
      await collect(tuned, prompt, 3);
      tuned.dispose();
      return device.loads;
    };
    await loadsFor(2); // the head, whose shapes do not depend on the rank
    expect(await loadsFor(3)).toBe(2 + 2); // both branches, for the prompt and for a token
  });
});
