import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { common } from './vitest.common.ts';

// What test/tfjs-node/build.mjs makes.
const tfjsNode = fileURLToPath(new URL('.cache/tfjs-node/node_modules/@tensorflow/tfjs-node', import.meta.url));

// Not part of `npm test`.
export default defineConfig({
  ...common,
  test: {
    ...common.test,
    include: ['test/tfjs-node/*.tfjsNode.ts'],
    alias: [{ find: '@tensorflow/tfjs-node', replacement: `${tfjsNode}/dist/index.js` }],
    env: { TF_CPP_MIN_LOG_LEVEL: '2' },
    fileParallelism: false,
    testTimeout: 120_000,
  },
});
