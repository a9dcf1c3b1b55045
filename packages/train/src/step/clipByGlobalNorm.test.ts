import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { clipByGlobalNorm, globalNorm } from '../index.ts';

beforeAll(() => tf.setBackend('cpu'));

const values = fc.array(fc.float({ min: -100, max: 100, noNaN: true }), { minLength: 1, maxLength: 5 });

describe('clipByGlobalNorm', () => {
  it('keeps the direction and bounds the norm', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(values, { minLength: 1, maxLength: 4 }),
        fc.float({ min: Math.fround(0.01), max: 50, noNaN: true }),
        async (lists, maxNorm) => {
          const given = new Map(lists.map((list, i) => [String(i), tf.tensor1d(list)]));
          const { gradients, norm } = clipByGlobalNorm(given, maxNorm);
          const expected = Math.hypot(...lists.flat());
          expect((await norm.data())[0]).toBeCloseTo(expected, 3);
          const factor = Math.min(1, maxNorm / (expected + 1e-6));
          for (const [i, list] of lists.entries()) {
            const clipped = await gradients.get(String(i))!.data();
            list.forEach((value, j) => expect(clipped[j]).toBeCloseTo(value * factor, 3));
          }
          tf.dispose([norm, ...given.values(), ...gradients.values()]);
        },
      ),
      { numRuns: 30 },
    );
  });
  it('leaves the given gradients alone and owns nothing', async () => {
    const given = new Map([['p', tf.tensor1d([3, 4])]]);
    const before = tf.memory().numTensors;
    for (const maxNorm of [1, Infinity]) {
      const { gradients, norm } = clipByGlobalNorm(given, maxNorm);
      expect(tf.memory().numTensors).toBe(before + 2);
      tf.dispose([norm, ...gradients.values()]);
    }
    expect(await given.get('p')!.array()).toEqual([3, 4]);
    const unclipped = clipByGlobalNorm(given, Infinity);
    expect(await unclipped.gradients.get('p')!.array()).toEqual([3, 4]);
    expect(await unclipped.norm.array()).toBe(5);
  });
  it('knows no gradients at all', async () => {
    expect(await globalNorm(new Map()).array()).toBe(0);
    expect(clipByGlobalNorm(new Map(), 1).gradients.size).toBe(0);
  });
  it('refuses gradients that are no Map, and a norm that it cannot clip to', () => {
    expect(() => clipByGlobalNorm({ p: tf.scalar(1) } as never, 1)).toThrow(
      'of an object make one: new Map(Object.entries(…))',
    );
    expect(() => clipByGlobalNorm(new Map(), 0)).toThrow(
      'maxNorm is not usable; got 0; expected a number > 0, or Infinity',
    );
  });
});
