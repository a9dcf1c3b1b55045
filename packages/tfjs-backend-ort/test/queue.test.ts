import * as tf from '@tensorflow/tfjs';
import { expect, it } from 'vitest';
import { ortBackend } from '../src/index.ts';
import { compileSuite } from './compileSuite.ts';
import { kernelSuite } from './kernelSuite.ts';

kernelSuite('queue');
compileSuite('queue');

it('ran on the device queue', async () => {
  await tf.setBackend('ort');
  expect(ortBackend().device.name).toBe('queue');
});
