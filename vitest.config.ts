import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const packages = fileURLToPath(new URL('./packages/', import.meta.url));

export default defineConfig({
  // Tests run on the sources, so that none passes on a stale build.
  resolve: { alias: [{ find: /^@dropbp\/([a-z0-9-]+)$/, replacement: `${packages}$1/src/index.ts` }] },
  test: {
    include: ['packages/*/{src,test}/**/*.test.ts', 'test/*.test.ts', 'scripts/*.test.ts'],
    testTimeout: 60_000,
    maxWorkers: '100%',
    reporters: ['default'],
  },
});
