import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { compose, loadAdapter } from '@dropbp/compose';
import { tokenHead, weightForm, type Adapter, type Batch, type Model } from '@dropbp/core';
import { dropBP } from '@dropbp/dropbp';
import { createModel, generate, loadModel, type WeightsForm } from '@dropbp/models';
import { fullFineTune } from '@dropbp/peft-full';
import { ia3 } from '@dropbp/peft-ia3';
import { lora } from '@dropbp/peft-lora';
import { prefixTuning } from '@dropbp/peft-prefix';
import { train } from '@dropbp/train';
import '@dropbp/tfjs-backend-ort';
import { batches as promptBatches, disturb, withConstantPrompts } from './dividedBatches.ts';
import { expectSame, run } from './dividedPasses.ts';

// Frozen weights in fewer bits, from loading to the saved adapter: adapters and DropBP must not notice.

const FORMS = ['f16', 'int8', 'int4'] as const;
const configs = {
  llama: {
    model_type: 'llama',
    ...{ vocab_size: 48, hidden_size: 64, intermediate_size: 96, num_hidden_layers: 2, num_attention_heads: 2 },
    ...{ max_position_embeddings: 64, initializer_range: 0.15 },
  },
  gpt2: {
    model_type: 'gpt2',
    vocab_size: 48,
    n_embd: 64,
    n_layer: 2,
    n_head: 2,
    n_positions: 64,
    initializer_range: 0.15,
  },
};
const make = (name: keyof typeof configs, weights: WeightsForm): Model =>
  createModel(configs[name], { seed: 1, weights });
const adapters: Record<string, () => Adapter> = {
  LoRA: () => lora({ rank: 4, targetModules: 'all-linear', seed: 2 }),
  'LoRA with DoRA': () => lora({ rank: 4, targetModules: 'all-linear', useDora: true, seed: 2 }),
  'IA³': () => ia3(),
  'prefix tuning': () => prefixTuning({ numVirtualTokens: 3, seed: 2 }),
};

let folder: string;
beforeAll(async () => {
  await tf.setBackend('ort');
  folder = await mkdtemp(join(tmpdir(), 'packed-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  await tf.setBackend('cpu');
});

function batch(seed = 0): Batch {
  const inputIds = tf.tidy(() =>
    tf.tensor2d(
      Int32Array.from({ length: 2 * 24 }, (_, i) => (i * 7 + seed * 5 + (i >> 2)) % 48),
      [2, 24],
      'int32',
    ),
  );
  return { inputIds, labels: inputIds.clone() };
}

describe.each(['llama', 'gpt2'] as const)('%s', name => {
  it.each(FORMS)(
    'keeps the weights of linear layers as %s, the table of tokens likewise, with 6 bits for int4, and all others exact',
    form => {
      for (const embeddings of [undefined, 'f32', 'f16', 'int8', 'int6', 'int4'] as const) {
        const model = createModel(configs[name], { seed: 1, weights: form, ...(embeddings && { embeddings }) });
        const ofTable = embeddings ?? (form === 'int4' ? 'int6' : form);
        for (const [path, { kind }] of model.modules) {
          const weight = model.parameters.get(`${path}.weight`);
          if (weight === undefined) continue;
          const isTable = path === model.embedding || path === tokenHead(model).path;
          const isLinear = kind === 'linear' || kind === 'conv1d';
          expect(weightForm(weight), path).toBe(isTable ? ofTable : isLinear ? form : 'f32');
        }
        model.dispose();
      }
    },
  );

  it.each(FORMS)('gives nearly the same logits and tokens from %s', async form => {
    const [plain, packed] = [make(name, 'f32'), make(name, form)];
    const rows = [Array.from({ length: 20 }, (_, i) => (i * 5) % 48)];
    const error = tf.tidy(() => {
      const [a, b] = [plain.forward(rows), packed.forward(rows)];
      return tf.div(tf.norm(tf.sub(a, b)), tf.norm(a)).dataSync()[0]!;
    });
    expect(error).toBeLessThan({ f16: 2e-3, int8: 0.06, int4: 0.35 }[form]);
    // With a cache as without: one row at a time is multiplied in the same form.
    const tokens: number[] = [];
    for await (const token of generate(packed, rows[0]!, { maxNewTokens: 6, stopTokens: [] })) tokens.push(token);
    expect(tokens).toHaveLength(6);
    plain.dispose();
    packed.dispose();
  });

  it.each(Object.keys(adapters))('trains %s on int8, with DropBP, as on f32', async adapter => {
    const lossesOf = async (weights: WeightsForm): Promise<number[]> => {
      const before = tf.memory().numTensors;
      const model = make(name, weights);
      const tuned = compose(model, adapters[adapter]!(), dropBP({ rate: 0.5, calibration: false, seed: 3 }));
      const losses: number[] = [];
      const batches = (function* () {
        for (;;) yield batch();
      })();
      for await (const { loss } of train(tuned, batches, { steps: 8, learningRate: 0.02 })) losses.push(loss);
      tuned.dispose();
      model.dispose();
      expect(tf.memory().numTensors).toBe(before);
      return losses;
    };
    const [plain, packed] = [await lossesOf('f32'), await lossesOf('int8')];
    expect(plain.at(-1)!).toBeLessThan(plain[0]!);
    packed.forEach((loss, step) => expect(Math.abs(loss / plain[step]! - 1)).toBeLessThan(0.03));
  });
});

it('saves the same adapter, refuses to merge, to train the weights and to save a checkpoint', async () => {
  const model = make('llama', 'int8');
  const tuned = compose(model, adapters.LoRA!());
  await tuned.save(join(folder, 'adapter'));
  const plain = make('llama', 'f32');
  const again = compose(plain, await loadAdapter(join(folder, 'adapter')));
  expect([...again.parameters.keys()]).toEqual([...tuned.parameters.keys()]);
  expect(() => tuned.merge()).toThrow(
    /is not merged into 'model\.layers\.0\..*', whose weight is kept as int8; save the adapter/,
  );
  expect(() => compose(model, fullFineTune())).toThrow(/'model\..*weight' is kept as int8 and cannot be trained/);
  expect(() => compose(model, lora({ rank: 4, targetModules: ['q_proj'], modulesToSave: ['embed_tokens'] }))).toThrow(
    "'model.embed_tokens.weight', which modulesToSave names, is kept as int8 and cannot be trained; load the model with",
  );
  // Norms are not packed.
  compose(model, fullFineTune({ parts: ['norms'] })).dispose();
  await expect(model.save(join(folder, 'model'))).rejects.toThrow(/save\(\): '.*' is kept as int8/);
  expect(await readdir(folder)).toEqual(['adapter']);
  for (const each of [again, plain, tuned, model]) each.dispose();
});

it('converts while it loads', async () => {
  const plain = make('llama', 'f32');
  await plain.save(join(folder, 'checkpoint'));
  const loaded = await loadModel(join(folder, 'checkpoint'), { weights: 'int8' });
  const made = make('llama', 'int8');
  for (const [name, tensor] of made.parameters) {
    expect(weightForm(loaded.parameters.get(name)!)).toBe(weightForm(tensor));
    expect(await loaded.parameters.get(name)!.data()).toEqual(await tensor.data());
  }
  for (const each of [plain, loaded, made]) each.dispose();
  await expect(loadModel(join(folder, 'checkpoint'), { weights: 'int2' as never })).rejects.toThrow(
    'loadModel(): weights is not usable; got "int2"; expected f32, f16, int8, int4',
  );
  await expect(loadModel(join(folder, 'checkpoint'), { embeddings: 'int2' as never })).rejects.toThrow(
    'loadModel(): embeddings is not usable; got "int2"; expected f32, f16, int8, int6, int4',
  );
});

it('keeps the integers of a GGUF file', async () => {
  const file = new URL('../packages/models/test/fixtures/gguf/quantised.gguf', import.meta.url).pathname;
  const [plain, packed] = [await loadModel(file), await loadModel(file, { weights: 'int4' })];
  const errorOf = (name: string): number =>
    tf.tidy(() => {
      const [a, b] = [plain, packed].map(model => model.parameters.get(`model.layers.1.${name}_proj.weight`)!);
      return tf.div(tf.norm(tf.sub(a!, b!)), tf.norm(a!)).dataSync()[0]!;
    });
  // Q4_0, Q4_0 and Q4_1, of which scales and zero points are rounded; and Q5_1, which four bits cannot hold.
  for (const name of ['self_attn.q', 'mlp.down', 'self_attn.k']) expect(errorOf(name), name).toBeLessThan(0.01);
  expect(errorOf('self_attn.o')).toBeGreaterThan(0.04);
  plain.dispose();
  packed.dispose();
});

it('keeps f32 where the backend has nothing else, and says so once', async () => {
  await tf.setBackend('cpu');
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  const model = make('llama', 'int8');
  expect([...model.parameters.values()].every(weight => weightForm(weight) === 'f32')).toBe(true);
  make('llama', 'int4').dispose();
  const ours = warn.mock.calls.filter(([message]) => String(message).includes('@dropbp'));
  expect(ours).toEqual([[expect.stringMatching(/'cpu' cannot keep weights as int8: they are kept as f32/)]]);
  warn.mockRestore();
  model.dispose();
  await tf.setBackend('ort');
});

describe('dropped prompts', () => {
  // With int8 a product rounds its input by the largest value among all tokens of the pass.
  it.each([
    ['f16', 1e-4],
    ['int4', 1e-4],
    ['int8', 0.1],
  ] as const)('have the gradients of prompts that are constants with weights of %s', async (weights, tolerance) => {
    const rows = promptBatches['prompts of different lengths']!;
    const adapter = (): Adapter => lora({ rank: 4, targetModules: 'all-linear', seed: 2 });
    const model = make('llama', weights);
    const [tuned, constant] = [
      compose(model, { adapter: adapter() }),
      compose(model, { adapter: withConstantPrompts(adapter(), rows), sharedPrompts: false }),
    ];
    for (const one of [tuned, constant]) disturb(one);
    const expected = await run(constant, rows, { dropPrompts: false });
    expectSame(await run(tuned, rows, { dropPrompts: true }), expected, tolerance);
    for (const one of [tuned, constant, model]) one.dispose();
  });
});
