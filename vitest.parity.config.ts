import { defineConfig } from 'vitest/config';
import { common } from './vitest.common.ts';

// Compares with what test/parity/*.py made: see test/parity/README.md. Not part of `npm test`.
export default defineConfig({
  ...common,
  test: { ...common.test, include: ['test/parity/*.parity.ts'], testTimeout: 900_000, fileParallelism: false },
});
