import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compose, loadAdapter, readAdapter, type Tuned } from '@dropbp/compose';
import type { Model } from '@dropbp/core';
import { generate, loadModel, supportedModelTypes } from '@dropbp/models';
import { fullFineTune } from '@dropbp/peft-full';
import { encodeSafetensors } from '@dropbp/safetensors';
import { chosenModules } from '../../packages/peft-ia3/src/defaultModules.ts';
import { chosenTargets } from '../../packages/peft-lora/src/plan/defaultTargets.ts';
import { leaveForPython, logits } from './compare.ts';
import { encoderTypes, makeBatch, readTensors, relativeError, worstDifference } from './reference.ts';

/** What architecture_cases.py wrote of one fixture. */
interface ArchitectureReference {
  readonly prompts: number[][];
  readonly logits: number[][];
  readonly greedy: { readonly prompt: number[]; readonly tokens: number[] };
  readonly batch: { readonly inputIds: number[][]; readonly labels: number[][] };
  /** Logits with the adapter. */
  readonly adapted: number[][];
  readonly cases: readonly {
    readonly method: 'full' | 'lora';
    readonly pattern: string;
    readonly dropped: boolean[];
    readonly loss: number;
    readonly gradients: string;
  }[];
  readonly defaults: Readonly<Record<'lora' | 'ia3' | 'feedforward', string[] | null>>;
}

const fixtures = fileURLToPath(new URL('../../packages/models/test/fixtures', import.meta.url));
const references = fileURLToPath(new URL('../.cache/architectures', import.meta.url));
const names = existsSync(references) ? readdirSync(references).sort() : [];

/** Logits: absolute. Gradients: relative, each tensor by its norm. */
const TOLERANCE = 1e-4;
/** A gradient that is no larger is zero but for rounding. */
const ROUNDING = 1e-6;

beforeAll(async () => {
  await tf.setBackend('ort');
});

async function expectLogits(
  runnable: Pick<Model, 'forward'>,
  prompts: readonly number[][],
  expected: readonly number[][],
): Promise<void> {
  for (const [i, prompt] of prompts.entries()) {
    expect(worstDifference(await logits(runnable, prompt), expected[i]!)).toBeLessThan(TOLERANCE);
  }
}

for (const name of names) {
  const place = join(references, name);
  const reference = JSON.parse(readFileSync(join(place, 'reference.json'), 'utf8')) as ArchitectureReference;
  describe(name, () => {
    let model: Model;
    beforeAll(async () => {
      model = await loadModel(join(fixtures, name));
    });
    afterAll(() => model.dispose());

    const start = async (method: 'full' | 'lora'): Promise<Tuned> =>
      compose(model, method === 'full' ? fullFineTune() : await loadAdapter(join(place, 'lora')));

    it('has the logits of transformers', () => expectLogits(model, reference.prompts, reference.logits));

    it('continues a text as transformers does', async () => {
      const { prompt, tokens } = reference.greedy;
      const ours: number[] = [];
      for await (const token of generate(model, prompt, { maxNewTokens: tokens.length, stopTokens: [] })) {
        ours.push(token);
      }
      expect(ours).toEqual(tokens);
    });

    it.each(reference.cases)('has the gradients of torch: $method, dropped: $pattern', async given => {
      const tuned = await start(given.method);
      const result = await tuned.valueAndGradients(makeBatch(reference.batch), { dropped: given.dropped });
      expect(Math.abs((await result.value.data())[0]! - given.loss) / given.loss).toBeLessThan(1e-5);
      const theirs = await readTensors(place, given.gradients);
      expect([...result.gradients.keys()].sort()).toEqual([...theirs.keys()].sort());
      for (const [parameter, gradient] of result.gradients) {
        const [values, expected] = [await gradient.data(), theirs.get(parameter)!];
        // A bias of all keys alike changes no softmax: its gradient is nothing but rounding.
        if (expected.every(value => Math.abs(value) < ROUNDING)) {
          expect(worstDifference(values, expected), parameter).toBeLessThan(ROUNDING);
        } else expect(relativeError(values, expected), parameter).toBeLessThan(TOLERANCE);
      }
      tf.dispose([result.value, ...result.gradients.values()]);
      tuned.dispose();
    });

    it("has the logits of PEFT's adapter, alone and merged, and leaves both for Python to check", async () => {
      const tuned = await start('lora');
      await expectLogits(tuned, reference.prompts, reference.adapted);
      const base = join(fixtures, name);
      await leaveForPython(`architecture.${name}.adapter`, reference, tuned, path => tuned.save(path), base);
      const merged = tuned.merge();
      await expectLogits(merged, reference.prompts, reference.adapted);
      const save = (path: string): Promise<void> => merged.save(path, { dtype: 'F32' });
      await leaveForPython(`architecture.${name}.merged`, reference, merged, save, base);
      merged.dispose();
      tuned.dispose();
    });

    it('takes the modules that PEFT chooses', () => {
      const { lora, ia3, feedforward } = reference.defaults;
      expect(chosenTargets[model.architecture] ?? null).toEqual(lora);
      expect(chosenModules[model.architecture] ?? null).toEqual(ia3 && { targets: ia3, feedforward });
    });
  });
}

it.each(['lm_head', 'embed_out'])("loads PEFT's adapter of GPT-NeoX that trains its head, called %s", async head => {
  const model = await loadModel(join(fixtures, 'gpt_neox'));
  const { config, tensors } = await readAdapter(join(references, 'gpt_neox', 'head'));
  const rename = (text: string): string => text.replaceAll('lm_head', head);
  const named = JSON.parse(rename(JSON.stringify(config))) as typeof config;
  const bytes = encodeSafetensors(
    new Map(
      [...tensors].map(([name, { shape, data }]) => [
        rename(name),
        { dtype: 'F32', shape, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) },
      ]),
    ),
  );
  const adapter = await loadAdapter({ config: named, weights: new Blob([new Uint8Array(bytes)]) });
  const tuned = compose(model, adapter);
  // Another head than the base's, so that one that is passed over shows.
  const weight = tuned.parameters.get('lm_head.weight')!;
  weight.assign(tf.tidy(() => tf.mul(weight, 1.3)));
  const prompts = { prompts: [[1, 5, 9, 3]] };
  const base = join(fixtures, 'gpt_neox');
  await leaveForPython(`architecture.gpt_neox.${head}`, prompts, tuned, path => tuned.save(path), base);
  tuned.dispose();
  model.dispose();
});

it('has reference values of every architecture', () => {
  /** The language model of these is one of the others. */
  const withText = ['gemma3', 'mistral3'];
  const types = names.map(name => {
    const config = JSON.parse(readFileSync(join(fixtures, name, 'config.json'), 'utf8')) as { model_type: string };
    return config.model_type;
  });
  const elsewhere = [...withText, ...encoderTypes];
  expect(supportedModelTypes.filter(type => !types.includes(type) && !elsewhere.includes(type))).toEqual([]);
});
