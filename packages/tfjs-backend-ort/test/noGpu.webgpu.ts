import * as tf from '@tensorflow/tfjs';
import { expect, it } from 'vitest';
import '../src/index.ts';

it('without a GPU whatever is computed fails, and says what to do', async () => {
  // Vulkan's loader finds no driver.
  Object.assign(process.env, { VK_DRIVER_FILES: '/none', VK_ICD_FILENAMES: '/none' });
  await tf.ready();
  expect(tf.getBackend()).toBe('ort');
  expect(() => tf.tensor([1])).toThrow(
    /^\[@dropbp\/tfjs-backend-ort\] WebGPU does not work here; got "Failed to get a WebGPU adapter: No supported adapters"; .*, or set DROPBP_ORT_DEVICE=node-cpu\.$/,
  );
});
