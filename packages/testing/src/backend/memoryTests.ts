import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import type { Tests } from '../describeSuite.ts';
import { type BackendSuite, heldBy, onCpu } from './backendUnderTest.ts';
import { expectClose, outcomes } from './outcome.ts';

/** Whose the elements of a tensor are, and when they are gone. */
export function memoryTests(suite: BackendSuite): Tests {
  return {
    'memory: gradients in a tidy leave nothing': () => {
      const step = (): void =>
        tf.tidy(() => {
          const w = tf.fill([8, 8], 0.5);
          tf.grad(x => tf.sum(tf.softmax(tf.matMul(tf.relu(tf.add(x, 1)), w))))(tf.ones([4, 8]));
        });
      const before = heldBy(suite);
      step();
      expect(heldBy(suite)).toEqual(before);
      return Promise.resolve();
    },

    'memory: 1,000 steps of an optimizer need no more than a few': async () => {
      const weights = tf.variable(tf.fill([8, 8], 0.1));
      const optimizer = tf.train.sgd(0.01);
      const steps = async (count: number): Promise<void> => {
        for (let i = 0; i < count; i++) {
          optimizer.minimize(() => tf.mean(tf.square(tf.matMul(weights, weights as tf.Tensor2D, false, true))));
        }
        await weights.data();
      };
      await steps(5);
      const before = heldBy(suite);
      await steps(1000);
      expect(heldBy(suite)).toEqual(before);
      optimizer.dispose();
      weights.dispose();
    },

    'memory: an array that was read stays as it is': async () => {
      const y = tf.mul(tf.ones([64]), 3);
      const values = await y.data();
      y.dispose();
      const [five, seven] = [tf.mul(tf.ones([64]), 5), tf.mul(tf.ones([64]), 7)];
      await Promise.all([five.data(), seven.data()]);
      expect([...new Set(values)]).toEqual([3]);
    },

    'memory: tensors that share elements outlive each other': async () => {
      const x = tf.add([1, 2, 3, 4], 1);
      const [copy, matrix] = [tf.clone(x), tf.reshape(x, [2, 2])];
      x.dispose();
      copy.dispose();
      tf.dispose(tf.mul([5, 6, 7, 8], 2));
      expect(await matrix.array()).toEqual([[2, 3], [4, 5]]); // prettier-ignore
    },

    'memory: tensors come from another backend and go to it': async () => {
      const x = await onCpu(() => Promise.resolve(tf.tensor([1, 2, 3])));
      const y = tf.mul(x, 2);
      expect(Array.from(await y.data())).toEqual([2, 4, 6]);
      expectClose(
        await onCpu(() => outcomes([tf.add(x, y)])),
        [{ shape: [3], dtype: 'float32', values: [3, 6, 9] }],
        0,
        'value',
      );
    },

    'tensors: without elements': async () => {
      const none = tf.zeros([0, 3]);
      expect(tf.matMul(none as tf.Tensor2D, tf.ones([3, 2])).shape).toEqual([0, 2]);
      expect(await tf.concat([none, tf.ones([1, 3])]).array()).toEqual([[1, 1, 1]]);
      expect(await tf.sum(none).array()).toBe(0);
    },

    'tensors: strings': async () => {
      const words = tf.tensor(['a', 'b', 'c', 'd'], [2, 2], 'string');
      const all = await tf.reshape(tf.concat([words, words]), [8]).array();
      expect(all).toEqual(['a', 'b', 'c', 'd', 'a', 'b', 'c', 'd']);
    },

    'tensors: complex numbers': async () => {
      const back = tf.ifft(tf.fft(tf.complex([1, 2, 3, 4], [0, 1, 0, -1])));
      expectClose(
        await outcomes([tf.real(back), tf.imag(back)]),
        [[1, 2, 3, 4], [0, 1, 0, -1]].map(values => ({ shape: [4], dtype: 'float32', values })), // prettier-ignore
        1e-5,
        'value',
      );
    },
  };
}
