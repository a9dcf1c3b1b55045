import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { isRecording, withoutTape, withOwnTape } from './ownTape.ts';
import { tapePullback } from './tapePullback.ts';

beforeAll(() => tf.setBackend('cpu'));

const numbers = async (tensor: tf.Tensor | undefined): Promise<number[]> => Array.from(await tensor!.data());

describe('tapePullback', () => {
  it('pulls several adjoints back through one run, as tf.grads does for each', async () => {
    const [a, b] = [tf.tensor1d([1, 2, 3]), tf.tensor1d([-1, 0.5, 2])];
    let runs = 0;
    const f = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => tf.mul(tf.exp(a), tf.add(a, tf.square(b)));
    const pullback = tapePullback(() => {
      runs++;
      return f(a, b);
    }, [a, b]);
    for (const adjoint of [tf.tensor1d([1, 0, 0]), tf.tensor1d([0.5, -2, 3])]) {
      const [da, db] = pullback.pull(adjoint);
      const [ea, eb] = tf.grads(f)([a, b], adjoint);
      expect(await numbers(da)).toEqual(await numbers(ea));
      expect(await numbers(db)).toEqual(await numbers(eb));
    }
    expect(runs).toBe(1);
    pullback.dispose();
  });
  it('gives no gradient of an input that does not lead to the result, and a copy of the adjoint for the result itself', async () => {
    const [x, other] = [tf.scalar(2), tf.scalar(3)];
    const pullback = tapePullback(() => x, [x, other]);
    const adjoint = tf.scalar(7);
    const [dx, none] = pullback.pull(adjoint);
    expect(none).toBeUndefined();
    expect(dx).not.toBe(adjoint);
    expect(await numbers(dx)).toEqual([7]);
  });
  it('frees all that it keeps, where the run fails too', () => {
    const x = tf.tensor1d([1, 2]);
    const before = tf.memory().numTensors;
    const pullback = tapePullback(() => tf.mul(tf.exp(x), x), [x]);
    expect(pullback.saved.length).toBeGreaterThan(0);
    pullback.dispose();
    expect(tf.memory().numTensors).toBe(before);
    const failing = (): tf.Tensor => {
      tf.exp(x);
      throw new Error('half way');
    };
    expect(() => tapePullback(failing, [x])).toThrow('half way');
    expect(tf.memory().numTensors).toBe(before);
    expect(isRecording()).toBe(false);
  });
});

describe('tapes', () => {
  it('of their own see nothing of the outer one, which goes on behind them', async () => {
    const seen: boolean[] = [];
    const gradient = tf.grad(x => {
      seen.push(isRecording());
      const constant = withoutTape(() => {
        seen.push(isRecording());
        return tf.square(x);
      });
      withOwnTape(() => seen.push(isRecording()));
      seen.push(isRecording());
      return tf.mul(x, constant);
    });
    // Of x · x² the square is a constant: x², and not 3x².
    expect(await numbers(gradient(tf.scalar(3)))).toEqual([9]);
    expect([isRecording(), ...seen]).toEqual([false, true, false, true, true]);
  });
  it('are put back where what runs within them fails', () => {
    for (const within of [withoutTape, withOwnTape]) {
      const gradient = tf.grad(x => {
        const fails = (): never => {
          throw new Error('inside');
        };
        expect(() => within(fails)).toThrow('inside');
        expect(isRecording()).toBe(true);
        return tf.neg(x);
      });
      gradient(tf.scalar(1));
      expect(isRecording()).toBe(false);
    }
  });
});
