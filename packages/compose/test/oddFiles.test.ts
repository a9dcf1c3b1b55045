import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Model } from '@dropbp/core';
import { loadModel, resizeTokenEmbeddings } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';
import { openSafetensors } from '@dropbp/safetensors';
import { compose, loadAdapter } from '../src/index.ts';

interface Recorded {
  readonly tokens: number[][];
  /** Of the adapters for models whose vocabulary has grown. */
  readonly grown: { readonly by: number; readonly tokens: number[][] };
  readonly tolerance: number;
  readonly adapters: Readonly<Record<string, { base: string; logits: number[] }>>;
}

const fixtures = fileURLToPath(new URL('./fixtures/', import.meta.url));
const odd = join(fixtures, 'odd');
const recorded = JSON.parse(await readFile(join(odd, 'logits.json'), 'utf8')) as Recorded;

const models = new Map<string, Model>();
let scratch: string;
beforeAll(async () => {
  await tf.setBackend('cpu');
  scratch = await mkdtemp(join(tmpdir(), 'odd-'));
  for (const base of ['llama', 'gpt2']) {
    const model = await loadModel(join(fixtures, base));
    models.set(base, model);
    models.set(`grown-${base}`, resizeTokenEmbeddings(model, model.vocabSize + recorded.grown.by));
  }
});
afterAll(async () => {
  for (const model of models.values()) model.dispose();
  await rm(scratch, { recursive: true });
});

async function worst(of: Pick<Model, 'forward'>, expected: readonly number[]): Promise<number> {
  const isGrown = expected.length > recorded.tokens.flat().length * models.get('llama')!.vocabSize;
  const logits = of.forward(isGrown ? recorded.grown.tokens : recorded.tokens);
  const values = await logits.data();
  logits.dispose();
  expect(values.length).toBe(expected.length);
  return expected.reduce((most, value, i) => Math.max(most, Math.abs(values[i]! - value)), 0);
}

async function namesIn(folder: string): Promise<string[]> {
  const file = await openSafetensors(join(folder, 'adapter_model.safetensors'));
  await file.close();
  return [...file.tensors.keys()].sort();
}

describe.each(Object.entries(recorded.adapters))("PEFT's file of a rare form: %s", (name, { base, logits }) => {
  it('gives the logits of PEFT, merged and saved again too', async () => {
    const isGrown = name.startsWith('grown-');
    const model = models.get(isGrown ? `grown-${base}` : base)!;
    const before = tf.memory().numTensors;
    const tuned = compose(model, await loadAdapter(join(odd, name)));
    expect(await worst(tuned, logits)).toBeLessThan(recorded.tolerance);
    const merged = tuned.merge();
    expect(await worst(merged, logits)).toBeLessThan(recorded.tolerance);
    merged.dispose();
    await tuned.save(join(scratch, name));
    tuned.dispose();
    const again = compose(model, await loadAdapter(join(scratch, name)));
    expect(await worst(again, logits)).toBeLessThan(recorded.tolerance);
    again.dispose();
    expect(tf.memory().numTensors).toBe(before);
    // An old file without biases gets them when it is saved: PEFT reads those.
    const stored = await namesIn(join(scratch, name));
    // What PEFT holds twice of a grown table is written once.
    const isTwice = (key: string): boolean =>
      isGrown && (/\.(modules_to_save|original_module)\.weight$/.test(key) || key.endsWith('lm_head.token_adapter.trainable_tokens_delta') && base === 'gpt2'); // prettier-ignore
    const came = (await namesIn(join(odd, name))).filter(key => !isTwice(key));
    const isOld = name.startsWith('biases-of-');
    expect(stored.filter(key => !isOld || !key.endsWith('.base_layer.bias'))).toEqual(came);
    expect(stored.length > came.length).toBe(isOld);
  });
});

describe('an adapter that is made on a model whose vocabulary has grown', () => {
  const { by } = recorded.grown;
  const q = { rank: 2, targetModules: ['q_proj'], initialization: false } as const;
  it.each([
    ['nothing of the new tokens', {}, ['lm_head.weight', 'model.embed_tokens.weight']],
    ['all of their rows', { trainableTokenIndices: { embed_tokens: [32, 33, 34], lm_head: [32, 33, 34] } }, ['lm_head.token_adapter.trainable_tokens_delta', 'model.embed_tokens.token_adapter.trainable_tokens_delta']],
    ['some of their rows', { trainableTokenIndices: [33] }, ['lm_head.weight', 'model.embed_tokens.token_adapter.base_layer.weight', 'model.embed_tokens.token_adapter.trainable_tokens_delta']],
    ['the tables', { modulesToSave: ['embed_tokens', 'lm_head'] }, ['lm_head.weight', 'model.embed_tokens.weight']],
  ])('and trains %s holds what the base lacks', async (_, options, stored) => {
    const folder = join(scratch, 'own');
    const base = models.get('llama')!;
    const tuned = compose(models.get('grown-llama')!, lora({ ...q, ...options }));
    await tuned.save(folder);
    const names = (await namesIn(folder)).map(key => key.replace('base_model.model.', ''));
    expect(names.filter(key => !key.includes('lora_'))).toEqual(stored);
    const expected = Array.from(await tuned.forward(recorded.grown.tokens).data());
    // The rows that another draw has given the base are replaced.
    const other = resizeTokenEmbeddings(base, base.vocabSize + by, { seed: 9 });
    const again = compose(other, await loadAdapter(folder));
    expect(await worst(again, expected)).toBeLessThan(1e-6);
    for (const one of [again, other, tuned]) one.dispose();
    await rm(folder, { recursive: true });
  }); // prettier-ignore

  it('is refused by the model without the new tokens, with what to do', async () => {
    await expect(async () =>
      compose(models.get('llama')!, await loadAdapter(join(odd, 'grown-plain'))),
    ).rejects.toThrow("its vocabulary is 35, the model's 32, so resize the model's first");
  });
});
