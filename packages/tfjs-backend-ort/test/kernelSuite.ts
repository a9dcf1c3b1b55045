import * as tf from '@tensorflow/tfjs';
import { afterAll, describe, expect, it } from 'vitest';
import { compile, ortBackend } from '../src/index.ts';
import { kernelTable } from '../src/kernels/kernelTable.ts';
import { binaryCases } from './cases/binary.ts';
import { otherCases } from './cases/others.ts';
import { unaryCases } from './cases/unary.ts';
import { type CaseInput, floats, type KernelCase, type KernelCases } from './kernelCase.ts';

const cases: KernelCases = { ...unaryCases, ...binaryCases, ...otherCases };

interface Outcome {
  readonly shape: number[];
  readonly dtype: string;
  readonly values: number[];
}

async function outcome(tensor: tf.Tensor): Promise<Outcome> {
  return { shape: tensor.shape, dtype: tensor.dtype, values: [...(await tensor.data())] };
}

const tensors = (inputs: readonly CaseInput[]): tf.Tensor[] =>
  inputs.map(({ values, shape, dtype }) => tf.tensor(values, shape, dtype));

async function forward({ inputs, run }: KernelCase): Promise<Outcome[]> {
  const results = [run(...tensors(inputs))].flat();
  return Promise.all(results.map(outcome));
}

/** Gradients by all inputs, or the message of the error where tfjs has none. */
async function gradients({ inputs, run }: KernelCase, outputs: readonly Outcome[]): Promise<Outcome[] | string> {
  const dys = outputs.map(({ shape }, i) => tf.tensor(floats(shape, -1, 1, 7 + i).values, shape));
  const loss = (...x: tf.Tensor[]): tf.Scalar =>
    tf.addN<tf.Scalar>([run(...x)].flat().map((y, i) => tf.sum(tf.mul(y, dys[i]!))));
  let results: tf.Tensor[];
  try {
    results = tf.grads(loss)(tensors(inputs));
  } catch (error) {
    return (error as Error).message;
  }
  return Promise.all(results.map(outcome));
}

function expectClose(actual: readonly Outcome[], expected: readonly Outcome[]): void {
  expect(actual.map(({ shape, dtype }) => ({ shape, dtype }))).toEqual(
    expected.map(({ shape, dtype }) => ({ shape, dtype })),
  );
  expected.forEach(({ values }, k) =>
    values.forEach((value, i) => {
      const got = actual[k]!.values[i]!;
      if (!Number.isFinite(value)) expect(got).toBe(value);
      else
        expect(Math.abs(got - value), `element ${i}: ${got} for ${value}`).toBeLessThanOrEqual(
          2e-5 * Math.max(1, Math.abs(value)),
        );
    }),
  );
}

/** The case run by a compiled function. */
function traced(kase: KernelCase): KernelCase {
  const name = (i: number): string => `x${i}`;
  const named = (inputs: tf.Tensor[], dtype: (dtype: string) => boolean): Record<string, tf.Tensor> =>
    Object.fromEntries(inputs.map((input, i) => [name(i), input] as const).filter(([, input]) => dtype(input.dtype)));
  // Everything is recomputed, so that every kernel runs in the backward session too.
  const compiled = compile(inputs => kase.run(...kase.inputs.map((_, i) => inputs[name(i)]!)), { recompute: 'full' });
  const run = (...inputs: tf.Tensor[]): tf.Tensor | tf.Tensor[] =>
    compiled(named(inputs, dtype => dtype === 'float32'), named(inputs, dtype => dtype !== 'float32')); // prettier-ignore
  return { ...kase, run };
}

/** Runs every kernel of the table against tfjs's cpu backend: values and gradients, eager and compiled. */
export function kernelSuite(device: string): void {
  process.env.DROPBP_ORT_DEVICE = device;
  afterAll(() => void tf.setBackend('cpu'));

  it('has a case for every kernel of the table', () => {
    expect(Object.keys(cases).sort()).toEqual([...kernelTable.keys()].sort());
    expect(Object.values(cases).every(list => list.length > 0)).toBe(true);
  });

  describe.each(Object.keys(cases))('%s', kernelName => {
    it.each(cases[kernelName]!.map(kase => [kase.name, kase] as const))('%s', async (_, kase) => {
      await tf.setBackend('cpu');
      const onCpu = { ...kase, run: kase.expected ?? kase.run };
      const expected = await forward(onCpu);
      const isFloat = [...kase.inputs, ...expected].every(({ dtype }) => dtype === 'float32');
      const hasGradient = kase.noGradient === undefined && kase.inputs.length > 0 && isFloat;
      const expectedGradients = hasGradient ? await gradients(onCpu, expected) : [];

      await tf.setBackend('ort');
      const fallbacks = (): number => ortBackend().fallbacks().get(kernelName) ?? 0;
      const before = fallbacks();
      const modes = kase.fallback === undefined ? [kase, traced(kase)] : [kase];
      for (const mode of modes) {
        expectClose(await forward(mode), expected);
        expect(fallbacks() - before).toBe(kase.fallback === undefined ? 0 : 1);
        // The gradient of a compiled function flows through its first result only.
        if (!hasGradient || (mode !== kase && expected.length > 1)) continue;
        // In a backward pass a fallback would read what only the device has.
        if (kase.fallback !== undefined && !ortBackend().device.readSync) continue;
        const actual = await gradients(mode, expected);
        if (typeof expectedGradients === 'string' || typeof actual === 'string') expect(actual).toBe(expectedGradients);
        else expectClose(actual, expectedGradients);
      }
    });
  });
}
