import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { plainRunnable, type Adapter, type Batch, type Model } from '@dropbp/core';
import { allocateRates, dropBP } from '@dropbp/dropbp';
import { fullFineTune } from '@dropbp/peft-full';
import { lora } from '@dropbp/peft-lora';
import { goldenName, goldenValues, toyBatch, toyModel, type GoldenPattern } from '@dropbp/testing';
import { compose, type Tuned } from '../src/index.ts';
import { measureSensitivities } from '../src/sensitivity/measureSensitivities.ts';
import { readyBatch } from '../src/pass/readyBatch.ts';

// The fixture is float64. Ours is float32 on the cpu backend: errors are relative to the largest entry of a tensor.
const TOLERANCE = 1e-5;

let model: Model;
let batch: Batch;

beforeAll(async () => {
  await tf.setBackend('cpu');
  model = toyModel();
  batch = toyBatch();
});
afterAll(() => {
  model.dispose();
});

const goldenLora = (): Adapter => lora({ rank: 2, alpha: 4, targetModules: ['q', 'v'] });

/** All weights and LoRA's A and B, as the fixture's `full` has it. */
function everything(): Adapter {
  return {
    name: 'everything',
    attach(target) {
      const [a, b] = [goldenLora().attach(target), fullFineTune().attach(target)];
      return {
        ...a,
        parameters: new Map([...a.parameters, ...b.parameters]),
        dispose() {
          a.dispose();
          b.dispose();
        },
      };
    },
  };
}

/** Composes the toy model with the fixture's A and B. */
function goldenTuned(adapter: Adapter): Tuned {
  const tuned = compose(model, adapter);
  for (const [name, variable] of tuned.parameters) {
    const tensor = tf.tensor([...goldenValues.weights[goldenName(name)]!], variable.shape);
    variable.assign(tensor);
    tensor.dispose();
  }
  return tuned;
}

const booleans = (drop: readonly number[]): boolean[] => drop.map(value => value === 1);

function relativeError(actual: ArrayLike<number>, expected: readonly number[]): number {
  const largest = Math.max(...expected.map(Math.abs));
  return Math.max(...expected.map((value, i) => Math.abs(actual[i]! - value))) / largest;
}

const norm = (values: ArrayLike<number>): number => Math.hypot(...Array.from(values));

for (const [method, create, patterns] of [
  ['lora', goldenLora, goldenValues.lora.patterns],
  ['full', everything, goldenValues.full.patterns],
] as const) {
  describe(`${method}: loss and gradients of the authors' code`, () => {
    let tuned: Tuned;
    beforeAll(() => {
      tuned = goldenTuned(create());
    });
    afterAll(() => {
      tuned.dispose();
    });
    it.each(patterns.map((pattern): [string, GoldenPattern] => [pattern.drop.join(''), pattern]))(
      'dropping %s',
      async (_, { drop, loss, gradNorms, grads }) => {
        const result = await tuned.valueAndGradients(batch, { dropped: booleans(drop) });
        expect(relativeError(await result.value.data(), [loss])).toBeLessThan(1e-6);
        expect(result.tokens).toBe(10);
        for (const name of tuned.parameters.keys()) {
          const gradient = await result.gradients.get(name)?.data();
          const expectedNorm = gradNorms[goldenName(name)];
          if (expectedNorm === null) {
            expect(gradient, name).toBeUndefined();
            continue;
          }
          expect(relativeError([norm(gradient!)], [expectedNorm!]), name).toBeLessThan(TOLERANCE);
          if (grads !== undefined) {
            expect(relativeError(gradient!, grads[goldenName(name)]!), name).toBeLessThan(TOLERANCE);
          }
        }
        tf.dispose([result.value, ...result.gradients.values()]);
      },
    );
  });
}

describe.each([
  ['lora', goldenLora, goldenValues.lora.sensitivity],
  ['full', everything, goldenValues.full.sensitivity],
] as const)('%s: sensitivities', (_, create, { gradnorm, graddiff, rates }) => {
  it("are the authors' by norms, and bounded by those of whole gradients", async () => {
    const tuned = goldenTuned(create());
    const measured = await measureSensitivities(
      tuned.internal,
      tuned.parameters,
      await readyBatch(plainRunnable(model), batch),
    );
    expect(relativeError(measured, gradnorm)).toBeLessThan(TOLERANCE);
    measured.forEach((sensitivity, i) => expect(sensitivity).toBeLessThan(graddiff[i]! * (1 + TOLERANCE)));
    for (const { p, minRate, rates: expected } of rates) {
      const allocated = allocateRates({ sensitivities: measured, flops: goldenValues.model.flops, rate: p, minRate });
      expect(allocated).toEqual(expected.map(Math.fround));
    }
    tuned.dispose();
  });
  it('by whole gradients follow from the gradients of ours', async () => {
    const tuned = goldenTuned(create());
    const gradientsOf = async (dropped: boolean[]): Promise<Map<string, Float32Array>> => {
      const { value, gradients } = await tuned.valueAndGradients(batch, { dropped });
      const values = new Map<string, Float32Array>();
      for (const [name, gradient] of gradients) values.set(name, (await gradient.data()) as Float32Array);
      tf.dispose([value, ...gradients.values()]);
      return values;
    };
    const base = await gradientsOf(booleans([0, 0, 0, 0, 0, 0]));
    const measured: number[] = [];
    for (let branch = 0; branch < 6; branch++) {
      const without = await gradientsOf(base.size > 0 ? Array.from({ length: 6 }, (_, i) => i === branch) : []);
      let sum = 0;
      for (const [name, values] of base) {
        values.forEach((value, i) => (sum += (value - (without.get(name)?.[i] ?? 0)) ** 2));
      }
      measured.push(sum);
    }
    expect(relativeError(measured, graddiff)).toBeLessThan(TOLERANCE);
    tuned.dispose();
  });
});

it.each(goldenValues.lora.noGradProbes)('knows whether $drop leaves anything to train', async probe => {
  const tuned = goldenTuned(goldenLora());
  const { value, gradients } = await tuned.valueAndGradients(batch, { dropped: booleans(probe.drop) });
  expect(gradients.size > 0).toBe(probe.lossRequiresGrad);
  expect(relativeError(await value.data(), [goldenValues.lora.patterns[0]!.loss])).toBeLessThan(1e-6);
  tf.dispose([value, ...gradients.values()]);
  tuned.dispose();
});

it("has the fixture's branches and FLOPs", () => {
  expect(model.branches.map(branch => branch.path)).toEqual(goldenValues.model.branchOrder);
  expect(model.branches.map(branch => branch.flops({ batch: 1, time: 6 }) / 6)).toEqual(goldenValues.model.flops);
  const { rates } = goldenValues.lora.sensitivity;
  const schedule = dropBP({ rate: rates[1]!.p, allocation: 'reference' }).start(
    goldenValues.model.flops.map(flops => ({ flops })),
  );
  schedule.calibrate(goldenValues.lora.sensitivity.gradnorm);
  expect(schedule.rates).toEqual(rates[1]!.rates.map(Math.fround));
});
