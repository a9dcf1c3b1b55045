import { mergeConfig } from 'vitest/config';
import base from './vitest.config.ts';

// Compares with what test/parity/*.py made: see test/parity/README.md. Not part of `npm test`.
const config = mergeConfig(base, { test: { testTimeout: 900_000, fileParallelism: false } });
config.test!.include = ['test/parity/*.parity.ts'];
export default config;
