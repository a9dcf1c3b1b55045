import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compose, loadAdapter, readAdapter, type Tuned } from '@dropbp/compose';
import { prepareAdapter, type Adapter, type Model } from '@dropbp/core';
import { generate, loadModel } from '@dropbp/models';
import { fullFineTune } from '@dropbp/peft-full';
import { combineLora, lora, loraPlus, type LoraPlusOptions } from '@dropbp/peft-lora';
import { expectLosses, leaveForPython, logits, trainingLosses } from './compare.ts';
import {
  camelCased,
  makeBatch,
  modelsFolder,
  oursFolder,
  peftOptions,
  readConfig,
  readReference,
  readTensors,
  referenceFolder,
  referenceModels,
  relativeError,
  worstDifference,
  type Reference,
} from './reference.ts';

/** Logits: absolute. */
const LOGITS = 1e-3;
/** Logits of an adapter that was loaded: absolute. */
const LOADED = 1e-4;
/** Logits after training: Adam moves a weight whose gradient is all rounding by the full rate, either way. */
const TRAINED = 5e-3;
/**
 * The two where the base is decomposed anew, which torch does in float32. In torch, a millionth of the base changes the logits
 * after five steps of `pissa` on tiny-gpt2 by 1.2e-2; the losses agree as elsewhere.
 */
const DECOMPOSED = { loaded: 5e-4, trained: 3e-2 };
/** Gradients: relative, each tensor by its norm. */
const GRADIENT = 1e-4;

beforeAll(async () => {
  await tf.setBackend('ort');
});

async function expectLogits(
  runnable: Pick<Model, 'forward'>,
  reference: Reference,
  expected: ReadonlyMap<string, Float32Array>,
  prefix = '',
  tolerance = LOGITS,
): Promise<void> {
  for (const [i, prompt] of reference.prompts.entries()) {
    const wanted = expected.get(`${prefix}prompt.${i}`)!;
    const worst = worstDifference(await logits(runnable, prompt), wanted);
    // Numbers of float32 lie further apart the larger they are: logits of the real model exceed 16, those of the tiny ones do not.
    const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(worst, `${prefix}prompt.${i}`).toBeLessThan(tolerance * Math.max(1, largest / 16));
  }
}

function shapesOf({ parameters }: Tuned): Record<string, number[]> {
  return Object.fromEntries([...parameters].map(([parameter, { shape }]) => [parameter, shape]));
}

/** The merged model is the adapted one, but for the order of sums. */
async function expectSame(a: Pick<Model, 'forward'>, b: Pick<Model, 'forward'>, { prompts }: Reference): Promise<void> {
  for (const prompt of prompts) expect(worstDifference(await logits(a, prompt), await logits(b, prompt))).toBeLessThan(LOADED); // prettier-ignore
}

for (const name of referenceModels()) {
  const reference = readReference(name);
  const folder = join(modelsFolder, name);
  const values = join(referenceFolder, name);

  describe(name, () => {
    let model: Model;
    beforeAll(async () => {
      model = await loadModel(folder);
    });
    afterAll(() => {
      model.dispose();
    });

    it('gives the logits of transformers', async () => {
      await expectLogits(model, reference, await readTensors(values, 'logits.safetensors'));
    });

    it('gives them for a padded batch, at the positions that hold tokens', async () => {
      const { inputIds, attentionMask } = reference.padded;
      const expected = (await readTensors(values, 'logits.safetensors')).get('padded')!;
      const actual = await model.forward(inputIds, { attentionMask }).data();
      attentionMask.flat().forEach((real, position) => {
        if (real === 0) return;
        const at = [position * model.vocabSize, (position + 1) * model.vocabSize] as const;
        expect(worstDifference(actual.slice(...at), expected.slice(...at))).toBeLessThan(LOGITS);
      });
    });

    it('continues a prompt with the same tokens', async () => {
      const tokens: number[] = [];
      const options = { maxNewTokens: reference.greedy.tokens.length, stopTokens: [] };
      for await (const token of generate(model, reference.greedy.prompt, options)) tokens.push(token);
      expect(tokens).toEqual(reference.greedy.tokens);
    });

    for (const case_ of reference.lora ?? []) {
      describe(`LoRA ${case_.name}`, () => {
        const place = join(values, 'lora', case_.name);
        const load = async (from: string): Promise<Adapter> =>
          prepareAdapter(await loadAdapter(join(place, from)), model);

        it("loads PEFT's adapters with the same logits, and trains what PEFT trains", async () => {
          const expected = await readTensors(place, 'logits.safetensors');
          for (const [from, prefix] of [
            ['adapter_start', 'start.'],
            ['adapter_end', 'end.'],
          ] as const) {
            // prettier-ignore
            const tuned = compose(model, await load(from));
            expect(shapesOf(tuned)).toEqual(case_.trainable);
            await expectLogits(tuned, reference, expected, prefix, case_.takesFromBase ? DECOMPOSED.loaded : LOADED);
            tuned.dispose();
          }
          if (case_.converted) {
            const tuned = compose(model, await load('adapter_converted'));
            await expectLogits(tuned, reference, expected, 'end.', LOADED);
            tuned.dispose();
          }
        });

        it('trains with the losses of PEFT and torch, and leaves adapter and merged model for Python to check', async () => {
          const tuned = compose(model, await load('adapter_start'));
          const steps = case_.losses.length;
          const { optimizer, schedule, loraplus } = case_;
          const { learningRate } = optimizer;
          const rates = loraplus && loraPlus({ learningRate, ...camelCased(loraplus) } as unknown as LoraPlusOptions);
          expectLosses(await trainingLosses(tuned, reference, steps, optimizer, schedule, rates ?? {}), case_.losses);
          const expected = await readTensors(place, 'logits.safetensors');
          const tolerance = case_.takesFromBase ? DECOMPOSED.trained : TRAINED;
          await expectLogits(tuned, reference, expected, 'end.', tolerance);
          await leaveForPython(`${name}.${case_.name}.adapter`, reference, tuned, path => tuned.save(path), folder);
          if (case_.merges) {
            const merged = tuned.merge();
            await expectSame(merged, tuned, reference);
            await expectLogits(merged, reference, expected, 'merged.', tolerance);
            await leaveForPython(`${name}.${case_.name}.merged`, reference, merged, path => merged.save(path), folder);
            merged.dispose();
          }
          tuned.dispose();
        });

        it("makes the same adapter from PEFT's options, which Python loads", async () => {
          const options = peftOptions(join(place, 'adapter_start'));
          const tuned = compose(model, await prepareAdapter(lora(options), model));
          expect(shapesOf(tuned)).toEqual(case_.trainable);
          const fresh = `${name}.${case_.name}.fresh`;
          await leaveForPython(fresh, reference, tuned, path => tuned.save(path), folder);
          // An adapter that took A and B out of the base is saved as another one.
          const own = readConfig(join(oursFolder, fresh, 'saved'));
          const theirs = readConfig(join(place, 'adapter_start'));
          if (case_.takesFromBase) expect(Object.keys(own)).toEqual(Object.keys(theirs));
          else expect(own).toEqual(theirs);
          tuned.dispose();
        });
      });
    }

    for (const [combination, options] of Object.entries(reference.combined?.combinations ?? {})) {
      it(`puts adapters together as PEFT does: ${combination}`, async () => {
        const place = join(values, 'combined');
        const { weights } = reference.combined!;
        const files = [await readAdapter(join(place, 'a')), await readAdapter(join(place, 'b'))];
        const tuned = compose(model, combineLora(files, { weights, ...camelCased(options) }));
        const expected = await readTensors(place, 'logits.safetensors');
        await expectLogits(tuned, reference, expected, `${combination}.`, LOADED);
        await leaveForPython(`${name}.combined-${combination}`, reference, tuned, path => tuned.save(path), folder);
        tuned.dispose();
      });
    }

    if (reference.full !== undefined) {
      const full = reference.full;
      it('fine-tunes all weights with the losses of torch', async () => {
        const tuned = compose(model, fullFineTune());
        const schedule = { kind: 'constant', warmupSteps: 0, maxGradNorm: null };
        expectLosses(await trainingLosses(tuned, reference, full.losses.length, full.optimizer, schedule), full.losses);
        const end = await readTensors(values, 'full', 'logits.safetensors');
        await expectLogits(tuned, reference, end, 'end.', TRAINED);
        await leaveForPython(`${name}.full`, reference, tuned, path => tuned.save(path), folder);
        tuned.dispose();
      });
    }

    for (const { method, pattern, dropped, loss, gradients } of reference.dropbp ?? []) {
      it(`drops branches as torch detaches them: ${method}, ${pattern}`, async () => {
        const adapter =
          method === 'full' ? fullFineTune() : await loadAdapter(join(values, 'lora', method, 'adapter_start'));
        const tuned = compose(model, await prepareAdapter(adapter, model));
        const result = await tuned.valueAndGradients(makeBatch(reference.batches![0]!), { dropped });
        const [value] = await result.value.data();
        expect(Math.abs(value! - loss) / loss).toBeLessThan(1e-5);
        const stored = await readTensors(values, gradients);
        // As files have it: only there is the head of GPT-NeoX still called embed_out.
        const expected = new Map([...stored].map(([key, value]) => [key.replace('embed_out.', 'lm_head.'), value]));
        // torch gives a tied or unused parameter no gradient of its own; ours must have the same set.
        expect([...result.gradients.keys()].sort()).toEqual([...expected.keys()].sort());
        for (const [parameter, gradient] of result.gradients) {
          expect(relativeError(await gradient.data(), expected.get(parameter)!), parameter).toBeLessThan(GRADIENT);
        }
        tf.dispose([result.value, ...result.gradients.values()]);
        tuned.dispose();
      });
    }
  });
}

it('has reference values for every model folder', () => {
  expect(existsSync(join(modelsFolder, 'smollm2-135m', 'model.safetensors'))).toBe(true);
  expect(referenceModels()).toContain('smollm2-135m');
});
