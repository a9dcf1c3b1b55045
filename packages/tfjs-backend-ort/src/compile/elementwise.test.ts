import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { ortBackend } from '../index.ts';
import { elementwisePlan } from './elementwise.ts';
import { forwardPlan } from './plan.ts';
import { traceForward, type InputShapes } from './tracedFunction.ts';

type Inputs = Readonly<Record<string, tf.Tensor>>;

beforeAll(() => tf.setBackend('ort'));

const float = (...shape: number[]): InputShapes[string] => ({ shape, dtype: 'float32' });

describe('elementwisePlan', () => {
  let outside: tf.Tensor;
  const planOf = (
    fn: (inputs: Inputs) => tf.Tensor | tf.Tensor[],
    inputs: InputShapes,
    replaces: (i: number) => string,
  ) => elementwisePlan('fn', forwardPlan(ortBackend(), 'fn', traceForward(ortBackend(), fn, inputs)), inputs, replaces);
  const shapes = { a: float(100), b: float(100) };

  it('puts a result in the place of an input that nothing reads after it', () => {
    const ordered = ({ a, b }: Inputs): tf.Tensor[] => {
      const first = tf.add(a!, b!);
      return [first, tf.mul(first, b!)];
    };
    expect([...planOf(ordered, shapes, i => ['a', 'b'][i]!).inPlace]).toEqual([0, 1]);
    // The first result would lie where the second still has to read.
    const late = ({ a, b }: Inputs): tf.Tensor[] => [tf.add(a!, b!), tf.mul(a!, b!)];
    expect([...planOf(late, shapes, () => 'a').inPlace]).toEqual([]);
    // One input has room for one result.
    const both = ({ a }: Inputs): tf.Tensor[] => {
      const first = tf.neg(a!);
      return [tf.exp(first), tf.abs(first)];
    };
    expect([...planOf(both, { a: float(100) }, () => 'a').inPlace]).toEqual([0]);
  });
  it.each<[string, (inputs: Inputs) => tf.Tensor, string]>([
    ['sums', ({ a, b }) => tf.add(a!, tf.sum(b!)), 'the operation Reduce'],
    ['reads from outside', ({ a }) => tf.add(a!, outside), 'a tensor from outside, [100]'],
    ['returns another size', () => tf.fill([3], 2), 'a result of another size than its inputs'],
  ])('refuses a function that %s', (_, fn, message) => {
    outside = tf.randomUniform([100]);
    expect(() => planOf(fn, shapes, () => 'a')).toThrow(message);
    outside.dispose();
  });
});
