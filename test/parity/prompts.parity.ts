import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compose, loadAdapter } from '@dropbp/compose';
import type { Model } from '@dropbp/core';
import { loadModel } from '@dropbp/models';
import { fullFineTune } from '@dropbp/peft-full';
import { gradientsAsInTorch } from './compare.ts';
import { makeBatch, modelsFolder, readTensors, relativeError, type BatchReference } from './reference.ts';

/** What prompt_cases.py wrote of one model. */
interface PromptReference {
  readonly batches: readonly BatchReference[];
  readonly cases: readonly { readonly name: string; readonly losses: readonly number[] }[];
}

const promptsFolder = fileURLToPath(new URL('../.cache/prompts', import.meta.url));
const models = existsSync(promptsFolder) ? readdirSync(promptsFolder) : [];

/** Gradients: relative, each tensor by its norm. */
const GRADIENT = 1e-4;
/** Biases of keys change no probability where all keys of a query have them: what is left is rounding, beside other gradients. */
const NOTHING = 1e-6;

beforeAll(() => tf.setBackend('ort'));

it('has reference values', () => expect(models.length, 'run test/parity/make.sh first').toBeGreaterThan(0));

for (const name of models) {
  const place = join(promptsFolder, name);
  const { batches, cases } = JSON.parse(readFileSync(join(place, 'reference.json'), 'utf8')) as PromptReference;

  describe(name, () => {
    let model: Model;
    beforeAll(async () => {
      model = await loadModel(join(modelsFolder, name));
    });
    afterAll(() => model.dispose());

    it.each(cases)('drops prompts as torch detaches their keys and values: $name', async ({ name: method, losses }) => {
      const adapter = method === 'full' ? fullFineTune() : await loadAdapter(join(place, method, 'adapter'));
      const tuned = compose(model, { adapter });
      for (const [i, given] of batches.entries()) {
        const batch = makeBatch(given);
        const result = await tuned.valueAndGradients(batch, { dropPrompts: true });
        const [loss] = await result.value.data();
        expect(Math.abs(loss! - losses[i]!) / losses[i]!).toBeLessThan(1e-5);
        const theirs = await readTensors(place, method, `gradients.${i}.safetensors`);
        const ours = await gradientsAsInTorch(tuned, result.gradients);
        expect([...ours.keys()].sort()).toEqual([...theirs.keys()].sort());
        const largest = Math.max(...[...theirs.values()].map(norm));
        for (const [parameter, gradient] of ours) {
          const expected = theirs.get(parameter)!;
          if (norm(expected) < NOTHING * largest) expect(norm(gradient), parameter).toBeLessThan(NOTHING * largest);
          else expect(relativeError(gradient, expected), `${parameter}, batch ${i}`).toBeLessThan(GRADIENT);
        }
        tf.dispose([result.value, ...result.gradients.values(), ...(Object.values(batch) as tf.Tensor[])]);
      }
      tuned.dispose();
    });
  });
}

function norm(values: ArrayLike<number>): number {
  return Math.sqrt(Array.from(values).reduce((sum, value) => sum + value * value, 0));
}
