import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compose, type Tuned } from '@dropbp/compose';
import type { Model } from '@dropbp/core';
import { loadTokenizer } from '@dropbp/data';
import { exportGguf, exportGgufAdapter } from '@dropbp/export';
import { createModel, generate, loadModel } from '@dropbp/models';
import { lora, type LoraOptions } from '@dropbp/peft-lora';
import { askLlama, withLlama } from './llamaCpp.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const austen = join(root, 'models/austen-base');
/** Made by test/parity/make.sh; in continuous integration that runs before. */
const smollm2 = join(root, 'test/.models/smollm2-135m');
const text = 'It is a truth universally acknowledged, that a single man';

let folder: string;
const at = (name: string): string => join(folder, name);
beforeAll(async () => {
  await tf.setBackend('ort');
  folder = mkdtempSync(join(tmpdir(), 'exports-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface Answer {
  readonly tokens: readonly number[];
  readonly probabilities: Float32Array;
}

/** What we make of a prompt. */
async function ask(subject: Model | Tuned, prompt: readonly number[], length: number): Promise<Answer> {
  const logits = subject.forward([prompt]);
  const last = tf.softmax(tf.slice(logits, [0, prompt.length - 1, 0], [1, 1, -1]));
  const probabilities = (await last.data()) as Float32Array;
  tf.dispose([logits, last]);
  const tokens: number[] = [];
  if (length === 0) return { tokens, probabilities };
  for await (const token of generate(subject, prompt, { maxNewTokens: length, temperature: 0 })) tokens.push(token);
  return { tokens, probabilities };
}

/** Half the sum of the differences: 0 where two distributions are the same, 1 where they share nothing. */
function distance(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, share, id) => sum + Math.abs(share - b[id]!), 0) / 2;
}

/** An adapter that changes what is written: B begins at zero. */
function tune(model: Model, options: Partial<LoraOptions>): Tuned {
  const tuned = compose(model, lora({ rank: 4, targetModules: 'all-linear', ...options }));
  let seed = 1;
  for (const [name, variable] of tuned.parameters) {
    if (name.endsWith('lora_B.weight')) variable.assign(tf.randomNormal(variable.shape, 0, 0.02, 'float32', seed++));
  }
  return tuned;
}

const models = [['austen-base', austen], ...(existsSync(smollm2) ? [['SmolLM2-135M', smollm2] as const] : [])] as const;

describe.each(models)('%s in llama.cpp', (name, source) => {
  const isSmall = name === 'austen-base';
  let model: Model;
  let prompt: number[];
  beforeAll(async () => {
    model = await loadModel(source);
    prompt = (await loadTokenizer(source)).encode(text);
  });
  afterAll(() => {
    model.dispose();
  });

  it('writes the same 64 tokens from F32, and encodes texts as the tokenizer does', async () => {
    await exportGguf(source, at('model.gguf'), { type: 'F32' });
    const ours = await ask(model, prompt, 64);
    await withLlama(at('model.gguf'), async llama => {
      const tokenizer = await loadTokenizer(source);
      for (const line of [
        text,
        "Hello   world!\n\n  123 it's 10,000 été 中文 😀\t.",
        '<|im_start|>user\nHi<|im_end|>',
      ]) {
        expect([...llama.tokenize(line, true)]).toEqual(tokenizer.encode(line));
      }
      const theirs = await askLlama(llama, prompt, { length: 64, vocabSize: model.vocabSize });
      expect(theirs.tokens).toEqual(ours.tokens.slice(0, theirs.tokens.length));
      expect(theirs.tokens.length).toBeGreaterThan(8);
      expect(distance(theirs.probabilities, ours.probabilities)).toBeLessThan(1e-4);
    });
  });

  // Of the larger model one type is enough: each run takes half a minute.
  it.each(
    (
      [
        ['F16', 2e-3],
        ['BF16', 2e-2],
        ['Q8_0', 6e-2],
        ['Q4_0', 0.35],
        ['Q4_K', 0.35],
      ] as const
    ).filter(([type]) => isSmall || type === 'Q8_0'),
  )('gives nearly the same probabilities from %s', async (type, most) => {
    await exportGguf(source, at('small.gguf'), { type });
    const ours = await ask(model, prompt, 0);
    const off = await withLlama(at('small.gguf'), async llama => {
      const theirs = await askLlama(llama, prompt, { length: 1, vocabSize: model.vocabSize });
      return distance(theirs.probabilities, ours.probabilities);
    });
    // llama.cpp rounds activations to 8 bits as well, which the larger model feels more: its measured distance is 0.14.
    expect(off).toBeLessThan(isSmall ? most : 0.2);
  });

  const adapters: [string, Partial<LoraOptions>][] = [
    [
      'an adapter with a scaling of its own in some layers',
      { useRslora: true, rankPattern: { q_proj: 2 }, alphaPattern: { k_proj: 9 } },
    ],
    ['an adapter', { rank: 8, alpha: 16 }],
  ];
  it.each(adapters.slice(isSmall ? 0 : 1))(
    '%s beside its base, and merged into it, writes what we write',
    async (_, options) => {
      const tuned = tune(model, options);
      const ours = await ask(tuned, prompt, 64);
      expect(distance(ours.probabilities, (await ask(model, prompt, 0)).probabilities)).toBeGreaterThan(0.01);
      await exportGguf(source, at('base.gguf'), { type: 'F32' });
      await exportGguf(tuned, at('merged.gguf'), { type: 'F32' });
      await exportGgufAdapter(tuned, at('adapter.gguf'));
      for (const [file, own] of [
        ['base.gguf', { lora: at('adapter.gguf') }],
        ['merged.gguf', {}],
      ] as const) {
        await withLlama(at(file), async llama => {
          const theirs = await askLlama(llama, prompt, { length: 64, vocabSize: model.vocabSize, ...own });
          expect(theirs.tokens, file).toEqual(ours.tokens.slice(0, theirs.tokens.length));
          expect(distance(theirs.probabilities, ours.probabilities), file).toBeLessThan(1e-4);
        });
      }
      tuned.dispose();
    },
  );
});

describe('small models of random weights in llama.cpp', () => {
  const llamaLike = { vocab_size: 2048, hidden_size: 64, intermediate_size: 96, num_hidden_layers: 4, num_attention_heads: 4, initializer_range: 0.2 }; // prettier-ignore
  const llama3 = { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 }; // prettier-ignore
  it.each<[string, Record<string, unknown>]>([
    ['llama', { model_type: 'llama', ...llamaLike, num_key_value_heads: 2, attention_bias: true, mlp_bias: true }],
    ['llama 3', { model_type: 'llama', ...llamaLike, rope_theta: 500000, rope_scaling: llama3 }],
    ['scaled linearly', { model_type: 'llama', ...llamaLike, rope_scaling: { rope_type: 'linear', factor: 2 } }],
    ['mistral', { model_type: 'mistral', ...llamaLike, num_key_value_heads: 2, head_dim: 32, sliding_window: null }],
    ['qwen2', { model_type: 'qwen2', ...llamaLike, num_key_value_heads: 2, tie_word_embeddings: true }],
    ['qwen3', { model_type: 'qwen3', ...llamaLike, num_key_value_heads: 2, head_dim: 32 }],
    ['smollm3', { model_type: 'smollm3', ...llamaLike, num_key_value_heads: 2 }],
    [
      'granite',
      {
        model_type: 'granite',
        ...llamaLike,
        num_key_value_heads: 2,
        embedding_multiplier: 3,
        residual_multiplier: 0.5,
        logits_scaling: 2,
        attention_multiplier: 0.2,
      },
    ],
    ['olmo2', { model_type: 'olmo2', ...llamaLike, num_key_value_heads: 2 }],
    ['gpt2', { model_type: 'gpt2', vocab_size: 2048, n_embd: 64, n_layer: 2, n_head: 4, initializer_range: 0.2 }],
  ])('%s gives our probabilities, and with an adapter', async (_, config) => {
    const ends = { bos_token_id: 0, eos_token_id: 0 };
    const plain = createModel({ ...config, ...ends }, { seed: 5 });
    const companions = async () => (await loadModel(austen)).companions!();
    const model: Model = { ...plain, companions };
    const tuned = tune(model, { alpha: 32 });
    await exportGguf(model, at('random.gguf'), { type: 'F32' });
    await exportGgufAdapter(tuned, at('random-adapter.gguf'));
    const prompt = [5, 9, 200, 31, 1000, 7, 44, 12];
    for (const [subject, own] of [
      [model, {}],
      [tuned, { lora: at('random-adapter.gguf') }],
    ] as const) {
      const ours = await ask(subject, prompt, 0);
      const theirs = await withLlama(at('random.gguf'), llama =>
        askLlama(llama, prompt, { length: 1, vocabSize: model.vocabSize, ...own }),
      );
      expect(distance(theirs.probabilities, ours.probabilities)).toBeLessThan(2e-3);
      expect(Math.max(...ours.probabilities)).toBeGreaterThan(2e-3);
    }
    tuned.dispose();
    plain.dispose();
  });
});
