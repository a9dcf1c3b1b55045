import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compose, loadAdapter, type Tuned } from '@dropbp/compose';
import { headStates, type Model, type Objective, type Subject } from '@dropbp/core';
import { loadModel } from '@dropbp/models';
import { fullFineTune } from '@dropbp/peft-full';
import { forwardOutputs } from '@dropbp/testing';
import { chosenModules } from '../../packages/peft-ia3/src/defaultModules.ts';
import { chosenTargets } from '../../packages/peft-lora/src/plan/defaultTargets.ts';
import { leaveForPython } from './compare.ts';
import { encoderTypes, modelsFolder, readTensors, relativeError, worstDifference } from './reference.ts';

/** What encoder_cases.py wrote of one model. */
interface EncoderReference {
  readonly batch: {
    readonly inputIds: number[][];
    readonly attentionMask: number[][];
    readonly tokenTypes?: number[][];
  };
  readonly states: number[];
  readonly prompts?: number[][];
  /** States with the adapter. */
  readonly adapted?: number[][];
  readonly target?: number[][][];
  readonly cases: readonly {
    readonly method: 'full' | 'lora';
    readonly pattern: string;
    readonly dropped: boolean[];
    readonly loss: number;
    readonly gradients: string;
  }[];
  readonly defaults?: Readonly<Record<'lora' | 'ia3' | 'feedforward', string[] | null>>;
}

const fixtures = fileURLToPath(new URL('../../packages/models/test/fixtures', import.meta.url));
const references = fileURLToPath(new URL('../.cache/encoders', import.meta.url));
const names = existsSync(references) ? readdirSync(references).sort() : [];

/** States: absolute. Gradients: relative, each tensor by its norm. */
const TOLERANCE = 1e-4;
/** A gradient that is no larger is zero but for rounding. */
const ROUNDING = 1e-6;

beforeAll(async () => {
  await tf.setBackend('ort');
});

async function statesOf(subject: Subject, { batch }: Pick<EncoderReference, 'batch'>): Promise<Float32Array> {
  const { inputIds, ...options } = batch;
  const states = forwardOutputs(subject, inputIds, options);
  const values = Float32Array.from(await states.data());
  states.dispose();
  return values;
}

/** The mean square of what states lack of others, over the tokens that are not padding: as in encoder_cases.py. */
function meanSquare({ target, batch: { attentionMask } }: EncoderReference): Objective {
  return {
    name: 'mean-square',
    unit: 'rows',
    taskType: 'FEATURE_EXTRACTION',
    labels: [],
    prepare: () => ({
      weight: attentionMask.length,
      loss(runnable, hidden) {
        const states = headStates(runnable, hidden);
        const squares = tf.mean(tf.square(tf.sub(states, tf.tensor3d(target!))), -1);
        const mask = tf.tensor2d(attentionMask, undefined, 'float32');
        return tf.div(tf.sum(tf.mul(squares, mask)), tf.sum(mask));
      },
    }),
  };
}

for (const name of names) {
  const place = join(references, name);
  const base = name === 'minilm' ? join(modelsFolder, name) : join(fixtures, name);
  const reference = JSON.parse(readFileSync(join(place, 'reference.json'), 'utf8')) as EncoderReference;
  describe(name, () => {
    let model: Model;
    beforeAll(async () => {
      model = await loadModel(base);
    });
    afterAll(() => model.dispose());

    const start = async (method: 'full' | 'lora'): Promise<Tuned> => {
      const adapter = method === 'full' ? fullFineTune() : await loadAdapter(join(place, 'lora'));
      return compose(model, { adapter, objective: meanSquare(reference) });
    };

    it('has the states of transformers', async () => {
      expect(worstDifference(await statesOf(model, reference), reference.states)).toBeLessThan(TOLERANCE);
    });

    if (reference.cases.length === 0) return;

    it.each(reference.cases)('has the gradients of torch: $method, dropped: $pattern', async given => {
      const tuned = await start(given.method);
      const { inputIds, attentionMask, tokenTypes } = reference.batch;
      const rows = (values: number[][]): tf.Tensor => tf.tensor2d(values, undefined, 'int32');
      const batch = {
        inputIds: rows(inputIds),
        attentionMask: rows(attentionMask),
        ...(tokenTypes && { tokenTypes: rows(tokenTypes) }),
      };
      const result = await tuned.valueAndGradients(batch, { dropped: given.dropped });
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
      tf.dispose([result.value, ...result.gradients.values(), ...Object.values(batch)]);
      tuned.dispose();
    });

    it("has the states of PEFT's adapter, alone and merged, and leaves both for Python to check", async () => {
      const tuned = await start('lora');
      const prompts = reference.prompts!;
      const expectAdapted = async (subject: Subject): Promise<void> => {
        const states = await statesOf(subject, { batch: { inputIds: prompts, attentionMask: [prompts[0]!.map(() => 1)] } });
        expect(worstDifference(states, reference.adapted![0]!)).toBeLessThan(TOLERANCE);
      }; // prettier-ignore
      await expectAdapted(tuned);
      await leaveForPython(`encoder.${name}.adapter`, { prompts }, tuned, path => tuned.save(path), base);
      const merged = tuned.merge();
      await expectAdapted(merged);
      const save = (path: string): Promise<void> => merged.save(path, { dtype: 'F32' });
      await leaveForPython(`encoder.${name}.merged`, { prompts }, merged, save, base);
      merged.dispose();
      tuned.dispose();
    });

    it('takes the modules that PEFT chooses', () => {
      const { lora, ia3, feedforward } = reference.defaults!;
      expect(chosenTargets[model.architecture] ?? null).toEqual(lora);
      expect(chosenModules[model.architecture] ?? null).toEqual(ia3 && { targets: ia3, feedforward });
    });
  });
}

it('has reference values of every encoder', () => {
  const types = names
    .filter(name => name !== 'minilm')
    .map(name => JSON.parse(readFileSync(join(fixtures, name, 'config.json'), 'utf8')) as { model_type: string });
  expect(encoderTypes.filter(type => !types.some(({ model_type: found }) => found === type))).toEqual([]);
  expect(names).toContain('minilm');
});
