import { fileURLToPath } from 'node:url';
import type { ViteUserConfig } from 'vitest/config';

const packages = fileURLToPath(new URL('./packages/', import.meta.url));

/** What every vitest.*.config.ts of this folder has in common. */
export const common = {
  // Tests run on the sources, so that none passes on a stale build.
  resolve: {
    alias: [
      { find: /^@dropbp\/([a-z0-9-]+)$/, replacement: `${packages}$1/src/index.ts` },
      { find: /^dropbp$/, replacement: `${packages}front-door/src/index.ts` },
    ],
  },
  test: { testTimeout: 60_000, maxWorkers: '100%', reporters: ['default'] },
} satisfies ViteUserConfig;
