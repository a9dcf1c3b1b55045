import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { afterAll, it } from 'vitest';
import '../src/index.ts';
import { type CaseInput, floats } from './kernelCase.ts';

afterAll(() => tf.setBackend('cpu'));

type Run = (...inputs: tf.Tensor[]) => tf.Tensor;

/** The result and the gradients of its weighted sum, all in one list. */
async function numbers(backend: string, run: Run, inputs: readonly CaseInput[]): Promise<number[]> {
  await tf.setBackend(backend);
  const tensors = inputs.map(({ values, shape }) => tf.tensor(values, shape));
  const y = run(...tensors);
  const dy = tf.tensor(floats(y.shape, -1, 1, 9).values, y.shape);
  const gradients = tf.grads((...x: tf.Tensor[]) => tf.sum(tf.mul(run(...x), dy)))(tensors);
  const lists = await Promise.all([y, ...gradients].map(tensor => tensor.data()));
  tf.dispose([tensors, y, dy, gradients]);
  return lists.flatMap(list => [...list]);
}

async function sameAsCpu(run: Run, inputs: readonly CaseInput[]): Promise<boolean> {
  const expected = await numbers('cpu', run, inputs);
  const actual = await numbers('ort', run, inputs);
  return (
    actual.length === expected.length &&
    actual.every((value, i) => Math.abs(value - expected[i]!) <= 3e-5 * Math.max(1, Math.abs(expected[i]!)))
  );
}

const size = fc.integer({ min: 1, max: 4 });
const shape = fc.array(size, { maxLength: 4 });
const seed = fc.integer({ min: 1, max: 1000 });
const runs = { numRuns: 40 };

/** A shape, and one that broadcasts to it. */
const broadcastPair = fc
  .tuple(shape, fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), fc.nat(4))
  .map(([full, ones, dropped]) => {
    const other = full.map((length, i) => (ones[i] ? 1 : length)).slice(Math.min(dropped, full.length));
    return [full, other] as const;
  });

// Not maximum, minimum and squaredDifference: tfjs's gradients of them do not sum over the axes that were broadcast.
it('elementwise operations broadcast as on cpu', () => {
  const operations: Run[] = [tf.add, tf.sub, tf.mul, tf.div] as Run[];
  return fc.assert(
    fc.asyncProperty(
      broadcastPair,
      fc.constantFrom(...operations),
      fc.boolean(),
      seed,
      ([full, other], operation, isSwapped, n) => {
        const [a, b] = isSwapped ? [other, full] : [full, other];
        return sameAsCpu(operation, [floats([...a], 0.5, 2, n), floats([...b], 0.5, 2, n + 1)]);
      },
    ),
    runs,
  );
});

it('matrix products are as on cpu', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(size, { maxLength: 2 }),
      size,
      size,
      size,
      fc.boolean(),
      fc.boolean(),
      seed,
      (batch, m, k, n, tA, tB, s) =>
        sameAsCpu(
          (a, b) => tf.matMul(a, b, tA, tB),
          [
            floats([...batch, ...(tA ? [k, m] : [m, k])], -1, 1, s),
            floats([...batch, ...(tB ? [n, k] : [k, n])], -1, 1, s + 1),
          ],
        ),
    ),
    runs,
  ));

it('reductions are as on cpu', () => {
  const reductions = [tf.sum, tf.mean, tf.max, tf.min, tf.logSumExp];
  return fc.assert(
    fc.asyncProperty(
      shape.filter(s => s.length > 0),
      fc.constantFrom(...reductions),
      fc.nat(3),
      fc.boolean(),
      seed,
      (s, reduce, axis, keepDims, n) => sameAsCpu(x => reduce(x, axis % s.length, keepDims), [floats(s, -1, 1, n)]),
    ),
    runs,
  );
});

it('transposes are as on cpu', () =>
  fc.assert(
    fc.asyncProperty(
      shape.chain(s => fc.tuple(fc.constant(s), fc.shuffledSubarray([...s.keys()], { minLength: s.length }))),
      seed,
      ([s, perm], n) => sameAsCpu(x => tf.transpose(x, perm), [floats(s, -1, 1, n)]),
    ),
    runs,
  ));

it('slices are as on cpu', () =>
  fc.assert(
    fc.asyncProperty(
      shape
        .filter(s => s.length > 0)
        .chain(s => fc.tuple(fc.constant(s), ...s.map(length => fc.tuple(fc.nat(length - 1), fc.nat(length - 1))))),
      seed,
      ([s, ...ranges], n) => {
        const begin = ranges.map(([a, b]) => Math.min(a, b));
        const lengths = ranges.map(([a, b]) => Math.abs(a - b) + 1);
        return sameAsCpu(x => tf.slice(x, begin, lengths), [floats(s, -1, 1, n)]);
      },
    ),
    runs,
  ));
