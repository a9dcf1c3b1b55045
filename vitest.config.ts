import { defineConfig } from 'vitest/config';
import { common } from './vitest.common.ts';

/** Tests that choose a backend, or look at what one holds, each in a process of its own. */
const ownBackend = [
  'packages/{compose,testing,tfjs-backend-ort}/{src,test}/**/*.test.ts',
  'test/{*OnEngine,packedBatches,logLikelihoods}.test.ts',
];

export default defineConfig({
  test: {
    // Of the projects together.
    maxWorkers: common.test.maxWorkers,
    reporters: common.test.reporters,
    projects: [
      // Loading TensorFlow.js and our sources takes longer than most tests: a worker loads them once for all of its files.
      {
        ...common,
        test: {
          ...common.test,
          name: 'shared',
          include: ['packages/*/{src,test}/**/*.test.ts', 'test/*.test.ts', '{scripts,bench}/*.test.ts'],
          exclude: ownBackend,
          isolate: false,
        },
      },
      { ...common, test: { ...common.test, name: 'backends', include: ownBackend } },
    ],
  },
});
