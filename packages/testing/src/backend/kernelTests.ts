import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import { problem } from '@dropbp/basics';
import { gradientCheck } from '../gradientCheck.ts';
import type { Tests } from '../describeSuite.ts';
import { compile, onCpu } from './backendUnderTest.ts';
import { type CaseInput, floats, type KernelCase, type KernelCases } from './kernelCase.ts';
import { expectClose, outcomes, type Outcome } from './outcome.ts';

/** Between a backend and tfjs's cpu backend, both in float32. */
const CLOSE = 2e-5;
/** Between a gradient and finite differences. */
const ROUGHLY = 2e-2;

/** Every case of every kernel, against tfjs's cpu backend and against finite differences. */
export function kernelTests(cases: KernelCases, compiles: boolean): Tests {
  const tests: Tests = {};
  for (const [kernel, list] of Object.entries(cases)) {
    for (const kase of list) {
      if (`${kernel}: ${kase.name}` in tests) {
        throw problem('testing', { what: `two cases of ${kernel} have one name`, got: kase.name, fix: 'rename one' });
      }
      tests[`${kernel}: ${kase.name}`] = async () => {
        await expectSame(kase, await reference(kase));
        await expectDifferences(kase, await reference(kase));
      };
      if (compiles) {
        tests[`${kernel}: ${kase.name} (compiled)`] = async () =>
          expectSame(compiled(kase), await reference(kase), true);
      }
    }
  }
  return tests;
}

/** What tfjs's cpu backend gives. */
interface Reference {
  readonly results: readonly Outcome[];
  /** By all inputs, where there are any. */
  readonly gradients: readonly Outcome[] | undefined;
}

const references = new Map<KernelCase, Promise<Reference>>();

function reference(kase: KernelCase): Promise<Reference> {
  const known = references.get(kase);
  if (known) return known;
  const made = onCpu(async () => {
    const plain = { ...kase, run: kase.expected ?? kase.run };
    const results = await forward(plain);
    const isFloat = [...kase.inputs, ...results].every(({ dtype }) => dtype === 'float32');
    const hasGradient = kase.noGradient === undefined && kase.inputs.length > 0 && isFloat;
    return { results, gradients: hasGradient ? await gradients(plain, results) : undefined };
  });
  references.set(kase, made);
  return made;
}

/** @param firstOnly - that the gradient flows through the first result alone */
async function expectSame(
  kase: KernelCase,
  { results, gradients: expected }: Reference,
  firstOnly = false,
): Promise<void> {
  expectClose(await forward(kase), results, CLOSE, 'value');
  if (expected === undefined || (firstOnly && results.length > 1)) return;
  expectClose(await gradients(kase, results), expected, CLOSE, 'value');
}

async function expectDifferences(kase: KernelCase, { results, gradients }: Reference): Promise<void> {
  if (kase.noDifferences !== undefined || gradients === undefined) return;
  const inputs = tensors(kase.inputs).map(input => tf.variable(input));
  const weights = gradientWeights(results);
  const loss = (): tf.Scalar => tf.tidy(() => weightedSum(kase.run(...inputs), weights));
  const { worst, where } = await gradientCheck(loss, inputs, 5e-3, 3);
  tf.dispose(inputs);
  expect(worst, `finite differences: ${where}`).toBeLessThan(ROUGHLY);
}

function tensors(inputs: readonly CaseInput[]): tf.Tensor[] {
  return inputs.map(({ values, shape, dtype }) => tf.tensor(values, shape, dtype));
}

function forward({ inputs, run }: KernelCase): Promise<Outcome[]> {
  return outcomes([run(...tensors(inputs))].flat());
}

function gradients({ inputs, run }: KernelCase, results: readonly Outcome[]): Promise<Outcome[]> {
  const weights = gradientWeights(results);
  return outcomes(tf.grads((...x: tf.Tensor[]) => weightedSum(run(...x), weights))(tensors(inputs)));
}

function gradientWeights(results: readonly Outcome[]): tf.Tensor[] {
  return results.map(({ shape }, i) => tf.tensor(floats([...shape], -1, 1, 7 + i).values, [...shape]));
}

function weightedSum(results: tf.Tensor | tf.Tensor[], weights: readonly tf.Tensor[]): tf.Scalar {
  return tf.addN<tf.Scalar>([results].flat().map((y, i) => tf.sum(tf.mul(y, weights[i]!))));
}

/** The case run by a compiled function. */
function compiled(kase: KernelCase): KernelCase {
  const name = (i: number): string => `x${i}`;
  const named = (inputs: tf.Tensor[], isDifferentiable: boolean): Record<string, tf.Tensor> =>
    Object.fromEntries(
      inputs
        .map((input, i) => [name(i), input] as const)
        .filter(([, { dtype }]) => (dtype === 'float32') === isDifferentiable),
    );
  // Everything is computed again in the backward pass, so that every kernel runs there too.
  const call = compile(inputs => kase.run(...kase.inputs.map((_, i) => inputs[name(i)]!)), {
    recompute: 'full',
  });
  return { ...kase, run: (...inputs) => call(named(inputs, true), named(inputs, false)) };
}
