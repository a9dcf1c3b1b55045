import { defineConfig } from 'vitest/config';
import { common } from './vitest.common.ts';

// Watches the built packages by strace, in a network namespace without a network: see the section `privacy` of scripts/ci.mjs.
// Not part of `npm test`.
export default defineConfig({
  ...common,
  test: { ...common.test, include: ['test/privacy/*.privacy.ts'], testTimeout: 180_000, fileParallelism: false },
});
