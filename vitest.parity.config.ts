import { defineConfig } from 'vitest/config';
import base from './vitest.config.ts';

// Compares with what test/parity/*.py made: see test/parity/README.md. Not part of `npm test`.
export default defineConfig({
  ...base,
  test: { ...base.test, include: ['test/parity/*.parity.ts'], testTimeout: 900_000, fileParallelism: false },
});
