import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { PassShape } from '@dropbp/core';
import { keyBiases } from './keyBiases.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** Which keys each tensor hides, as rows of 0 and 1. */
async function hidden(pass: PassShape, window?: number): Promise<Record<string, number[][]>> {
  const result: Record<string, number[][]> = {};
  for (const [name, tensor] of Object.entries(keyBiases(pass, window))) {
    result[name] = ((await tensor.array()) as number[][]).map(row => row.map(value => Number(value < -1e8)));
    tensor.dispose();
  }
  return result;
}

describe('keyBiases', () => {
  it('hides nothing where there is no mask', async () => {
    expect(await hidden({ batch: 2, time: 3 }, 2)).toEqual({});
  });
  it('hides padding', async () => {
    const attentionMask = tf.tensor2d([[1, 1, 0], [0, 1, 1]], [2, 3], 'int32'); // prettier-ignore
    expect(await hidden({ batch: 2, time: 3, attentionMask })).toEqual({ keyBias: [[0, 0, 1], [1, 0, 0]] }); // prettier-ignore
    attentionMask.dispose();
  });
  it('hides what the cache does not hold yet', async () => {
    const keyBias = [[0, 0, 0, 1], [0, 0, 0, 1]]; // prettier-ignore
    expect(await hidden({ batch: 2, time: 1, offset: 2, cacheCapacity: 4 })).toEqual({ keyBias });
  });
  it('hides what has left the window', async () => {
    const seen = await hidden({ batch: 1, time: 1, offset: 3, cacheCapacity: 6 }, 2);
    expect(seen).toEqual({ keyBias: [[0, 0, 0, 0, 1, 1]], windowKeyBias: [[1, 1, 0, 0, 1, 1]] });
    const start = await hidden({ batch: 1, time: 1, offset: 0, cacheCapacity: 3 }, 2);
    expect(start.windowKeyBias).toEqual([[0, 1, 1]]);
  });
  it('hides of each sequence what lies behind its own token', async () => {
    const seen = await hidden({ batch: 2, time: 1, offset: [1, 2], cacheCapacity: 4 }, 2);
    expect(seen.keyBias).toEqual([[0, 0, 1, 1], [0, 0, 0, 1]]); // prettier-ignore
    expect(seen.windowKeyBias).toEqual([[0, 0, 1, 1], [1, 0, 0, 1]]); // prettier-ignore
  });
  it('refuses passes that no cache can decode', () => {
    const message = 'this pass cannot be decoded with a cache';
    expect(() => keyBiases({ batch: 1, time: 2, cacheCapacity: 8 })).toThrow(message);
    expect(() => keyBiases({ batch: 1, time: 1, offset: 8, cacheCapacity: 8 })).toThrow(message);
    const attentionMask = tf.ones([1, 1], 'int32');
    expect(() => keyBiases({ batch: 1, time: 1, cacheCapacity: 8, attentionMask })).toThrow(message);
    attentionMask.dispose();
  });
});
