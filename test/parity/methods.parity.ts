import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compose, loadAdapter, type Tuned } from '@dropbp/compose';
import type { Adapter, Model } from '@dropbp/core';
import { generate, loadModel } from '@dropbp/models';
import { fullFineTune, type Part } from '@dropbp/peft-full';
import { ia3 } from '@dropbp/peft-ia3';
import { llamaAdapter, prefixTuning, promptTuning, pTuning } from '@dropbp/peft-prefix';
import { expectLosses, gradientsAsInTorch, leaveForPython, logits, trainingLosses } from './compare.ts';
import {
  makeBatch,
  modelsFolder,
  readTensors,
  relativeError,
  worstDifference,
  type OptimizerReference,
  type Reference,
} from './reference.ts';

/** What method_cases.py wrote of one case. */
interface MethodReference {
  readonly name: string;
  readonly method: string;
  readonly options: Readonly<Record<string, never>>;
  readonly hasEncoder: boolean;
  readonly merges: boolean;
  readonly parameters: Readonly<Record<string, number[]>>;
  readonly greedy: { readonly prompt: number[]; readonly tokens: number[] };
  readonly optimizer: OptimizerReference;
  readonly losses: number[];
  readonly dropbp: readonly { pattern: string; dropped: boolean[]; loss: number; gradients: string }[];
}

/** Full fine-tuning of some weights. */
interface PartReference {
  readonly part: Part;
  readonly parameters: string[];
  readonly optimizer: OptimizerReference;
  readonly losses: number[];
}

const methodsFolder = fileURLToPath(new URL('../.cache/methods', import.meta.url));
const models = existsSync(methodsFolder) ? readdirSync(methodsFolder) : [];

/** Logits of an adapter that was loaded: absolute. */
const LOADED = 1e-4;
/** Logits after training, in which Adam moves a value whose gradient is all rounding by the full rate, either way. */
const TRAINED = 5e-3;
/** Gradients: relative, each tensor by its norm. */
const GRADIENT = 1e-4;

beforeAll(async () => {
  await tf.setBackend('ort');
});

/** Of every prompt, and of a padded batch where its mask is 1. */
async function expectLogits(
  of: Pick<Model, 'forward'>,
  reference: Reference,
  expected: ReadonlyMap<string, Float32Array>,
  prefix: string,
  tolerance = LOADED,
): Promise<void> {
  for (const [i, prompt] of reference.prompts.entries()) {
    expect(worstDifference(await logits(of, prompt), expected.get(`${prefix}prompt.${i}`)!)).toBeLessThan(tolerance);
  }
  const { inputIds, attentionMask } = reference.padded;
  const padded = of.forward(inputIds, { attentionMask });
  const batch = Float32Array.from(await padded.data());
  padded.dispose();
  const size = batch.length / attentionMask.flat().length;
  attentionMask.flat().forEach((real, position) => {
    if (real === 0) return;
    const at = [position * size, (position + 1) * size] as const;
    const difference = worstDifference(batch.slice(...at), expected.get(`${prefix}padded`)!.slice(...at));
    expect(difference, `${prefix}padded, position ${position}`).toBeLessThan(tolerance);
  });
}

/** Our own adapter of the same options, for a network that no file holds. */
function made({ method, options }: MethodReference): Adapter {
  const camel = Object.fromEntries(
    Object.entries(options).map(([key, value]) => [
      key.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase()),
      value,
    ]),
  );
  const factories: Readonly<Record<string, (options: never) => Adapter>> = {
    PREFIX_TUNING: prefixTuning,
    PROMPT_TUNING: promptTuning,
    P_TUNING: pTuning,
    ADAPTION_PROMPT: llamaAdapter,
    IA3: ia3,
  };
  return factories[method]!(camel as never);
}

/** Our name of a network's parameter: PEFT's, below the embedding for what makes tokens. */
function assignEncoder(tuned: Tuned, weights: ReadonlyMap<string, Float32Array>): void {
  const left = new Set(weights.keys());
  for (const [name, variable] of tuned.parameters) {
    const theirs = name.slice(name.indexOf('prompt_encoder.'));
    const tensor = tf.tensor(weights.get(theirs)!, variable.shape);
    variable.assign(tensor);
    tensor.dispose();
    left.delete(theirs);
  }
  expect([...left]).toEqual([]);
}

for (const name of models) {
  const place = join(methodsFolder, name);
  const reference = JSON.parse(readFileSync(join(place, 'reference.json'), 'utf8')) as Reference & {
    readonly cases: readonly MethodReference[];
    readonly parts: readonly PartReference[];
  };

  describe(name, () => {
    let model: Model;
    const folder = join(modelsFolder, name);
    beforeAll(async () => {
      model = await loadModel(folder);
    });
    afterAll(() => {
      model.dispose();
    });

    describe.each(reference.cases.map(each => [each.name, each] as const))('%s', (_, of) => {
      const files = join(place, of.name);
      const start = async (): Promise<Tuned> => {
        if (!of.hasEncoder) return compose(model, await loadAdapter(join(files, 'adapter_start')));
        const tuned = compose(model, made(of));
        assignEncoder(tuned, await readTensors(files, 'encoder_start.safetensors'));
        return tuned;
      };

      it("loads PEFT's adapters with the same logits, and merges as PEFT does", async () => {
        const expected = await readTensors(files, 'logits.safetensors');
        for (const when of ['start', 'end']) {
          const tuned = compose(model, await loadAdapter(join(files, `adapter_${when}`)));
          await expectLogits(tuned, reference, expected, `${when}.`);
          if (of.merges && when === 'end') {
            const merged = tuned.merge();
            await expectLogits(merged, reference, expected, 'merged.');
            await leaveForPython(`${name}.${of.name}.merged`, reference, merged, path => merged.save(path), folder);
            merged.dispose();
          }
          tuned.dispose();
        }
      });

      it('goes on with a text as PEFT does, with a cache', async () => {
        const tuned = await start();
        const tokens: number[] = [];
        const { prompt, tokens: expected } = of.greedy;
        const options = { maxNewTokens: expected.length, stopTokens: [] };
        for await (const token of generate(tuned, prompt, options)) tokens.push(token);
        expect(tokens).toEqual(expected);
        tuned.dispose();
      });

      it('trains as many values, under the same names where the file holds them', async () => {
        const tuned = await start();
        const sizes = Object.values(of.parameters).map(shape => shape.reduce((product, size) => product * size, 1));
        expect(tuned.trainableCount).toBe(sizes.reduce((sum, size) => sum + size, 0));
        if (['IA3', 'ADAPTION_PROMPT'].includes(of.method)) {
          const ours = [...tuned.parameters].map(([parameter, { shape }]) => [parameter, shape]);
          expect(Object.fromEntries(ours)).toEqual(of.parameters);
        }
        tuned.dispose();
      });

      it.each(of.dropbp)('drops branches as torch detaches them: $pattern', async ({ dropped, loss, gradients }) => {
        const tuned = await start();
        const result = await tuned.valueAndGradients(makeBatch(reference.batches![0]!), { dropped });
        expect(Math.abs((await result.value.data())[0]! - loss) / loss).toBeLessThan(1e-5);
        const theirs = await readTensors(files, gradients);
        const ours = await gradientsAsInTorch(tuned, result.gradients);
        expect([...ours.keys()].sort()).toEqual([...theirs.keys()].sort());
        for (const [name, gradient] of ours) {
          expect(relativeError(gradient, theirs.get(name)!), name).toBeLessThan(GRADIENT);
        }
        tf.dispose([result.value, ...result.gradients.values()]);
        tuned.dispose();
      });

      it('trains with the losses of PEFT and torch, and leaves its adapter for Python to check', async () => {
        const tuned = await start();
        const schedule = { kind: 'constant', warmupSteps: 0, maxGradNorm: null };
        const losses = await trainingLosses(tuned, reference, of.losses.length, of.optimizer, schedule);
        expectLosses(losses, of.losses);
        const expected = await readTensors(files, 'logits.safetensors');
        await expectLogits(tuned, reference, expected, 'end.', TRAINED);
        await leaveForPython(`${name}.${of.name}.adapter`, reference, tuned, path => tuned.save(path), folder);
        tuned.dispose();
      });
    });

    it.each(reference.parts)('fine-tunes the $part alone with the losses of torch', async of => {
      const tuned = compose(model, fullFineTune({ parts: [of.part] }));
      expect([...tuned.parameters.keys()].sort()).toEqual([...of.parameters].sort());
      const schedule = { kind: 'constant', warmupSteps: 0, maxGradNorm: null };
      expectLosses(await trainingLosses(tuned, reference, of.losses.length, of.optimizer, schedule), of.losses);
      await expectLogits(tuned, reference, await readTensors(place, of.part, 'logits.safetensors'), 'end.', TRAINED);
      await leaveForPython(`${name}.${of.part}`, reference, tuned, path => tuned.save(path), folder);
      tuned.dispose();
    });
  });
}

it('has reference values of every method', () => {
  expect(models).toContain('tiny-llama3');
  expect(models).toContain('tiny-gpt2');
});
