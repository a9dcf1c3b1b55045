import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import type { Tests } from '../describeSuite.ts';
import { compile, onCpu } from './backendUnderTest.ts';
import { type CaseInput, floats } from './kernelCase.ts';
import { expectClose, outcomes, type Outcome } from './outcome.ts';

type Run = (...inputs: tf.Tensor[]) => tf.Tensor;

/** A function and its inputs. */
interface Drawn {
  readonly run: Run;
  readonly inputs: readonly CaseInput[];
}

/** Between two backends, in float32. */
const CLOSE = 3e-5;

const size = fc.integer({ min: 1, max: 4 });
const shape = fc.array(size, { maxLength: 4 });
const seed = fc.integer({ min: 1, max: 1000 });

/** A shape, and one that broadcasts to it. */
const broadcastPair = fc
  .tuple(shape, fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), fc.nat(4))
  .map(([full, ones, dropped]) => {
    const other = full.map((length, i) => (ones[i] ? 1 : length)).slice(Math.min(dropped, full.length));
    return [full, other] as const;
  });

const drawn: Readonly<Record<string, fc.Arbitrary<Drawn>>> = {
  // Not maximum, minimum and squaredDifference: tfjs's gradients of them do not sum over the axes that were broadcast.
  'elementwise operations': fc
    .tuple(broadcastPair, fc.constantFrom(tf.add, tf.sub, tf.mul, tf.div), fc.boolean(), seed)
    .map(([[full, other], operation, isSwapped, n]) => {
      const [a, b] = isSwapped ? [other, full] : [full, other];
      return { run: operation, inputs: [floats([...a], 0.5, 2, n), floats([...b], 0.5, 2, n + 1)] };
    }),
  'matrix products': fc
    .tuple(fc.array(size, { maxLength: 2 }), size, size, size, fc.boolean(), fc.boolean(), seed)
    .map(([batch, m, k, n, tA, tB, s]) => ({
      run: (a: tf.Tensor, b: tf.Tensor) => tf.matMul(a, b, tA, tB),
      inputs: [
        floats([...batch, ...(tA ? [k, m] : [m, k])], -1, 1, s),
        floats([...batch, ...(tB ? [n, k] : [k, n])], -1, 1, s + 1),
      ],
    })),
  reductions: fc
    .tuple(
      shape.filter(s => s.length > 0),
      fc.constantFrom(tf.sum, tf.mean, tf.max, tf.min, tf.logSumExp),
      fc.nat(3),
      fc.boolean(),
      seed,
    )
    .map(([s, reduce, axis, keepDims, n]) => ({
      run: (x: tf.Tensor) => reduce(x, axis % s.length, keepDims),
      inputs: [floats(s, -1, 1, n)],
    })),
  transposes: shape
    .chain(s => fc.tuple(fc.constant(s), fc.shuffledSubarray([...s.keys()], { minLength: s.length }), seed))
    .map(([s, perm, n]) => ({ run: (x: tf.Tensor) => tf.transpose(x, perm), inputs: [floats(s, -1, 1, n)] })),
  slices: shape
    .filter(s => s.length > 0)
    .chain(s => fc.tuple(fc.constant(s), seed, ...s.map(length => fc.tuple(fc.nat(length - 1), fc.nat(length - 1)))))
    .map(([s, n, ...ranges]) => {
      const begin = ranges.map(([a, b]) => Math.min(a, b));
      const lengths = ranges.map(([a, b]) => Math.abs(a - b) + 1);
      return { run: (x: tf.Tensor) => tf.slice(x, begin, lengths), inputs: [floats(s, -1, 1, n)] };
    }),
};

/** Random shapes: results and gradients are those of tfjs's cpu backend. */
export function randomShapeTests(compiles: boolean): Tests {
  const test = (arbitrary: fc.Arbitrary<Drawn>, isCompiled: boolean, numRuns: number) => (): Promise<void> =>
    fc.assert(
      fc.asyncProperty(arbitrary, async ({ run, inputs }) => {
        const expected = await onCpu(() => resultAndGradients(run, inputs));
        expectClose(await resultAndGradients(isCompiled ? compiled(run) : run, inputs), expected, CLOSE, 'value');
      }),
      { numRuns },
    );
  const tests: Tests = {};
  for (const [name, arbitrary] of Object.entries(drawn)) {
    tests[`random shapes: ${name}`] = test(arbitrary, false, 25);
    if (compiles) tests[`random shapes: ${name} (compiled)`] = test(arbitrary, true, 10);
  }
  return tests;
}

/** The result, and the gradients of its weighted sum. */
async function resultAndGradients(run: Run, inputs: readonly CaseInput[]): Promise<Outcome[]> {
  tf.engine().startScope();
  const tensors = inputs.map(({ values, shape }) => tf.tensor(values, shape));
  const y = run(...tensors);
  const weights = tf.tensor(floats(y.shape, -1, 1, 9).values, y.shape);
  const gradients = tf.grads((...x: tf.Tensor[]) => tf.sum(tf.mul(run(...x), weights)))(tensors);
  const result = await outcomes([y, ...gradients]);
  tf.engine().endScope();
  return result;
}

function compiled(run: Run): Run {
  const call = compile(inputs => run(...Object.values(inputs)));
  return (...inputs) => call(Object.fromEntries(inputs.map((input, i) => [`x${i}`, input])));
}
