import { defineConfig } from 'vitest/config';
import { common } from './vitest.common.ts';

// Every adapter on the architectures that are too many for `npm test`.
export default defineConfig({
  ...common,
  test: { ...common.test, include: ['test/adapters/*.adapters.ts'] },
});
