import * as tf from '@tensorflow/tfjs';
import { expect, it } from 'vitest';
import { ortBackend } from '../src/index.ts';

const MIB = 2 ** 20;

it.each([
  ['a small branch: arenas of 16 times its size', 10 * MIB, 160 * MIB],
  ['a larger one: the most that arenas take together', 64 * MIB, 512 * MIB],
  ['one too large for arenas: 5 times its size', 200 * MIB, 1000 * MIB],
])('predicts what a step works in, for %s', async (_, largestBranch, step) => {
  await tf.setBackend('ort');
  expect(ortBackend().workingMemory(largestBranch)).toEqual({ program: 200 * MIB, step });
});
