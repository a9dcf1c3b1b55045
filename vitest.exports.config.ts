import { defineConfig } from 'vitest/config';
import { common } from './vitest.common.ts';

// Runs what was exported in other people's programs, which test/exports/install.mjs puts into .cache/exports: see the section
// `exports` of scripts/ci.mjs. Not part of `npm test`.
export default defineConfig({
  ...common,
  test: { ...common.test, include: ['test/exports/*.exports.ts'], testTimeout: 300_000, fileParallelism: false },
});
