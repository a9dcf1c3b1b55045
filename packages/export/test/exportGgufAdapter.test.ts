import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compose, composeAsync, type Tuned } from '@dropbp/compose';
import type { Model } from '@dropbp/core';
import { loadModel, readGguf } from '@dropbp/models';
import { ia3 } from '@dropbp/peft-ia3';
import { lora, type LoraOptions } from '@dropbp/peft-lora';
import { exportGguf, exportGgufAdapter } from '../src/index.ts';

const fixtures = fileURLToPath(new URL('../../models/test/fixtures', import.meta.url));
let folder: string;
const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  tf.enableProdMode();
  await tf.setBackend('cpu');
  folder = mkdtempSync(join(tmpdir(), 'export-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** An adapter that changes something: B begins at zero. */
async function tune(model: Model, options: LoraOptions): Promise<Tuned> {
  const tuned = await composeAsync(model, { adapter: lora(options) });
  let seed = 0;
  for (const [name, variable] of tuned.parameters) {
    if (name.endsWith('lora_B.weight')) variable.assign(tf.randomNormal(variable.shape, 0, 0.3, 'float32', seed++));
  }
  return tuned;
}

/** What llama.cpp computes with a file: alpha / rank · B·A beside each weight. */
async function changesIn(path: string): Promise<Map<string, Float32Array>> {
  const { metadata, tensors } = await readGguf(path);
  expect(Object.fromEntries(metadata)).toMatchObject({ 'general.type': 'adapter', 'adapter.type': 'lora' });
  const bytes = readFileSync(path);
  const read = (name: string): tf.Tensor2D => {
    const { shape, offsetBytes, sizeBytes } = tensors.get(name)!;
    const values = new Float32Array(new Uint8Array(bytes.subarray(offsetBytes, offsetBytes + sizeBytes)).buffer);
    return tf.tensor2d(values, shape as [number, number]);
  };
  const changes = new Map<string, Float32Array>();
  for (const name of tensors.keys()) {
    if (!name.endsWith('.lora_a')) continue;
    const weight = name.slice(0, -'.lora_a'.length);
    const [a, b] = [read(name), read(`${weight}.lora_b`)];
    const scale = Number(metadata.get('adapter.lora.alpha')) / b.shape[1];
    changes.set(weight, tf.mul(tf.matMul(b, a), scale).dataSync() as Float32Array);
  }
  return changes;
}

/** The weights of a GGUF file by llama.cpp's names, in the file's order. */
async function ggufWeights(path: string): Promise<Map<string, Float32Array>> {
  const { tensors } = await readGguf(path);
  const bytes = readFileSync(path);
  return new Map(
    [...tensors].map(([name, { offsetBytes, sizeBytes }]) => [
      name,
      new Float32Array(new Uint8Array(bytes.subarray(offsetBytes, offsetBytes + sizeBytes)).buffer),
    ]),
  );
}

const all = 'all-linear';

describe.each([
  ['llama', { rank: 2, alpha: 6, targetModules: all }],
  ['llama', { rank: 4, alpha: 8, useRslora: true, targetModules: all }],
  ['llama', { rank: 2, alpha: 3, rankPattern: { q_proj: 4 }, alphaPattern: { v_proj: 5, k_proj: 0.5 }, targetModules: all }], // prettier-ignore
  ['qwen3', { rank: 2, targetModules: all }],
  ['gpt2', { rank: 3, alpha: 2, targetModules: all }],
  ['mistral', { rank: 2, initialization: 'pissa', targetModules: ['q_proj', 'down_proj'] }],
] as [string, LoraOptions][])('%s with %o', (name, options) => {
  it('changes the weights in the file of its base as merging changes them', async () => {
    const model = await loadModel(join(fixtures, name));
    const tuned = await tune(model, options);
    const { layers } = await exportGgufAdapter(tuned, at('adapter.gguf'), { name: 'mine' });
    const changes = await changesIn(at('adapter.gguf'));
    expect(changes.size).toBe(layers);
    await exportGguf(model, at('base.gguf'), { type: 'F32', tokenizer: false });
    await exportGguf(tuned, at('merged.gguf'), { type: 'F32', tokenizer: false });
    const [base, merged] = [await ggufWeights(at('base.gguf')), await ggufWeights(at('merged.gguf'))];
    let changed = 0;
    for (const [weight, values] of base) {
      const change = changes.get(weight);
      if (change !== undefined) changed++;
      const expected = values.map((value, i) => value + (change?.[i] ?? 0));
      const off = Math.max(...expected.map((value, i) => Math.abs(value - merged.get(weight)![i]!)));
      expect(off, weight).toBeLessThan(2e-6);
    }
    expect(changed).toBe(layers);
    tuned.dispose();
    model.dispose();
  });
});

describe('an adapter in a folder', () => {
  it('needs the configuration of its base alone, which it may name', async () => {
    const model = await loadModel(join(fixtures, 'llama'));
    const tuned = await tune(model, { rank: 2, alpha: 6, targetModules: all });
    await tuned.save(at('adapter'));
    await exportGgufAdapter(at('adapter'), at('folder.gguf'));
    await exportGgufAdapter(at('adapter'), at('named.gguf'), { base: join(fixtures, 'llama') });
    await exportGgufAdapter(tuned, at('memory.gguf'));
    expect(readFileSync(at('folder.gguf'))).toEqual(readFileSync(at('memory.gguf')));
    expect(readFileSync(at('named.gguf'))).toEqual(readFileSync(at('memory.gguf')));
    const other = exportGgufAdapter(at('adapter'), at('other.gguf'), { base: join(fixtures, 'gpt2') });
    await expect(other).rejects.toThrow(/adapts 'model\.layers\.0\..*', which its base does not have/);
    const config = JSON.parse(readFileSync(at('adapter/adapter_config.json'), 'utf8')) as Record<string, unknown>;
    for (const [key, value, message] of [
      ['r', 4, 'has another rank than'],
      ['init_lora_weights', 'pissa', 'belongs to a changed base'],
      ['modules_to_save', ['lm_head'], 'modules that were trained whole'],
      ['use_dora', true, 'cannot hold DoRA'],
    ] as const) {
      writeFileSync(at('adapter/adapter_config.json'), JSON.stringify({ ...config, [key]: value }));
      await expect(exportGgufAdapter(at('adapter'), at('no.gguf')), key).rejects.toThrow(message);
    }
    tuned.dispose();
    model.dispose();
  });
});

describe('what two matrices beside a weight cannot say', () => {
  it('is refused, with the way out', async () => {
    const model = await loadModel(join(fixtures, 'llama'));
    const targets = ['q_proj'];
    const cases: [Tuned, string][] = [
      [compose(model, lora({ rank: 1, targetModules: targets, useDora: true })), 'DoRA (use_dora)'],
      [compose(model, lora({ rank: 1, targetModules: targets, modulesToSave: ['lm_head'] })), 'modules_to_save'],
      [compose(model, lora({ rank: 1, targetModules: targets, trainableTokenIndices: { embed_tokens: [1] } })), 'trained tokens'], // prettier-ignore
      [compose(model, lora({ rank: 1, targetModules: ['q_proj', 'embed_tokens'] })), 'cannot hold this tensor'],
      [compose(model, lora({ rank: 1, targetModules: ['q_proj', 'lm_head'] })), 'cannot hold'],
      [compose(model, ia3()), 'an adapter of this method; got "IA3"'],
    ];
    for (const [tuned, message] of cases) {
      const refused = exportGgufAdapter(tuned, at('no.gguf'));
      await expect(refused, message).rejects.toThrow(message);
      await expect(refused, message).rejects.toThrow('export the merged model instead');
      tuned.dispose();
    }
    model.dispose();
  });
});
