import { defineConfig } from 'vitest/config';
import { common } from './vitest.common.ts';

// Runs what needs a GPU, or Vulkan's software for one. Not part of `npm test`.
export default defineConfig({
  ...common,
  test: {
    ...common.test,
    include: [
      'packages/tfjs-backend-ort/test/*.webgpu.ts',
      'test/*OnEngine.test.ts',
      'packages/compose/test/engine.test.ts',
    ],
    // The device holds no packed weights.
    exclude: ['test/packedOnEngine.test.ts'],
    env: { DROPBP_ORT_DEVICE: 'node-webgpu' },
    fileParallelism: false,
    testTimeout: 300_000,
  },
});
