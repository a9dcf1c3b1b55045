import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { isTrainable } from '../../trainable.ts';
import { tapGradients } from './earlyGradients.ts';
import { runCheckpointed, type Rerun } from './runCheckpointed.ts';

beforeAll(() => tf.setBackend('cpu'));

const numbers = async (tensor: tf.Tensor): Promise<number[]> => Array.from(await tensor.data());
/** stream + tanh(x · w) · bias */
const branch = ({ x, stream, scope, shared }: Rerun): tf.Tensor =>
  tf.add(stream, tf.mul(tf.tanh(tf.mul(x, scope.w!)), shared.bias!));

describe('runCheckpointed', () => {
  it.each([
    ['that is added to what it reads', false],
    ['of a parallel block', true],
  ])('has the values and gradients of a branch %s, which it runs twice', async (_, isParallel) => {
    const w = tf.variable(tf.tensor1d([0.3, -0.7]));
    const shared = { bias: tf.tensor1d([2, 3]) };
    const [x, stream] = [tf.tensor1d([1, 2]), tf.tensor1d([5, 6])];
    const gradientsOf = (run: (tensors: Rerun) => tf.Tensor): tf.Tensor[] => {
      const result = (x: tf.Tensor, stream: tf.Tensor): tf.Tensor => run({ x, stream, shared, scope: { w } });
      const wanted = isParallel ? tf.grads(result)([x, stream]) : [tf.grad(x => result(x, x))(x)];
      const { grads } = tf.variableGrads(() => tf.sum(result(x, isParallel ? stream : x)), [w]);
      return [...wanted, grads[w.name]!];
    };
    let runs = 0;
    const counting = (tensors: Rerun): tf.Tensor => {
      runs++;
      return branch(tensors);
    };
    const expected = gradientsOf(branch);
    const actual = gradientsOf(tensors => runCheckpointed(counting, tensors, { input: true, stream: true }));
    expect(runs).toBe(4); // two gradients, and twice for each
    for (const [i, gradient] of actual.entries()) expect(await numbers(gradient)).toEqual(await numbers(expected[i]!));
    w.dispose();
  });
  it('asks for no gradients of an input that needs none', () => {
    const w = tf.variable(tf.scalar(0.5));
    const [x, stream] = [tf.scalar(1), tf.scalar(2)];
    const gradients = tf.variableGrads(() => {
      const tensors = { x, stream, shared: { bias: tf.scalar(1) }, scope: { w } };
      return tf.sum(runCheckpointed(branch, tensors, { input: false, stream: false }));
    }, [w]);
    expect(gradients.grads[w.name]!.dataSync()[0]).toBeCloseTo(1 - Math.tanh(0.5) ** 2, 6);
    w.dispose();
  });
});

describe('tapGradients', () => {
  it('hands out the gradients of the parameters that are named, and leaves the others on the tape', async () => {
    const [early, late, anchor] = [tf.variable(tf.scalar(2)), tf.variable(tf.scalar(5)), tf.variable(tf.scalar(0))];
    const frozen = tf.scalar(7);
    const taken = new Map<string, tf.Tensor>();
    const { grads } = tf.variableGrads(() => {
      const take = (name: string, gradient: tf.Tensor): unknown => taken.set(name, gradient);
      const scope = tapGradients({ early, late, frozen }, 'layers.0', new Set(['layers.0.early', 'layers.0.frozen']), { anchor, take }); // prettier-ignore
      expect([scope.late, scope.frozen]).toEqual([late, frozen]);
      expect(isTrainable(scope.early!)).toBe(true);
      return tf.sum(tf.mul(tf.mul(scope.early!, scope.late!), scope.frozen!));
    }, [early, late, anchor]);
    expect([...taken.keys()]).toEqual(['layers.0.early']);
    expect(await numbers(taken.get('layers.0.early')!)).toEqual([35]);
    expect(await numbers(grads[late.name]!)).toEqual([14]);
    expect(await numbers(grads[anchor.name]!)).toEqual([0]);
    for (const variable of [early, late, anchor]) variable.dispose();
  });
});
