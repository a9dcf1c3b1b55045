import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { adamW, clipByGlobalNorm, constant, cosine, linear, sgd, type Optimizer } from '../src/index.ts';

/** What torch and transformers do: see `fixtures/torch_optimizers.py`. */
interface Fixture {
  start: Record<string, number[]>;
  gradients: Record<string, number[] | null>[];
  learningRates: number[];
  optimizers: { optimizer: 'adamW' | 'sgd'; options: object; values: Record<string, number[]>[] }[];
  schedules: { schedule: 'constant' | 'cosine' | 'linear'; options: object; factors: number[] }[];
  clipping: { maxNorm: number; gradients: number[][]; norm: number; clipped: number[][] }[];
}

const fixture = JSON.parse(
  readFileSync(new URL('./fixtures/torch_optimizers.json', import.meta.url), 'utf8'),
) as Fixture;
const optimizers = { adamW, sgd };
const schedules = { constant, cosine, linear };

beforeAll(() => tf.setBackend('cpu'));

/** Float32 against float64. */
function expectClose(actual: ArrayLike<number>, expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  expected.forEach((value, i) =>
    expect(Math.abs(actual[i]! - value)).toBeLessThan(1e-6 * Math.max(1, Math.abs(value))),
  );
}

describe.each(fixture.optimizers)('$optimizer with $options', ({ optimizer: name, options, values }) => {
  const make = (): Optimizer => optimizers[name]({ learningRate: 99, ...options });
  const start = (): Map<string, tf.Variable> =>
    new Map(Object.entries(fixture.start).map(([key, list]) => [key, tf.variable(tf.tensor1d(list))]));
  const step = (optimizer: Optimizer, parameters: Map<string, tf.Variable>, i: number): void => {
    const gradients = new Map<string, tf.Tensor>();
    for (const [key, list] of Object.entries(fixture.gradients[i]!)) if (list) gradients.set(key, tf.tensor1d(list));
    optimizer.apply(parameters, gradients, fixture.learningRates[i]);
    tf.dispose([...gradients.values()]);
  };

  it("gives torch's values in every step, parameters without gradient included", async () => {
    const [optimizer, parameters] = [make(), start()];
    for (const [i, expected] of values.entries()) {
      step(optimizer, parameters, i);
      for (const [key, parameter] of parameters) expectClose(await parameter.data(), expected[key]!);
    }
  });
  it('gives the same values when it is stored and restored half-way', async () => {
    const [first, parameters] = [make(), start()];
    step(first, parameters, 0);
    step(first, parameters, 1);
    const { values: stored, tensors } = await first.state();
    first.dispose();
    const second = make();
    second.restore({ values: JSON.parse(JSON.stringify(stored)) as typeof stored, tensors });
    step(second, parameters, 2);
    step(second, parameters, 3);
    for (const [key, parameter] of parameters) expectClose(await parameter.data(), values[3]![key]!);
  });
});

it.each(fixture.schedules)("$schedule with $options has transformers' factors", ({ schedule, options, factors }) => {
  const factor = schedules[schedule](options);
  factors.forEach((expected, step) => expect(factor(step, factors.length)).toBeCloseTo(expected, 12));
});

it.each(fixture.clipping)(
  'clips to a norm of $maxNorm as torch does',
  async ({ maxNorm, gradients, norm, clipped }) => {
    const given = new Map(gradients.map((values, i) => [String(i), tf.tensor1d(values)]));
    const result = clipByGlobalNorm(given, maxNorm);
    expectClose(await result.norm.data(), [norm]);
    for (const [i, expected] of clipped.entries()) {
      expectClose(await result.gradients.get(String(i))!.data(), expected);
      expectClose(await given.get(String(i))!.data(), gradients[i]!);
    }
  },
);
