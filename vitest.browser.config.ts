import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { launchOptions } from './examples/browser/test/openPage.ts';
import { common } from './vitest.common.ts';

const engine = fileURLToPath(new URL('./packages/tfjs-backend-ort/src/', import.meta.url));
const slow = { testTimeout: 300_000, hookTimeout: 180_000, fileParallelism: false };

// Chromium, on a GPU that it plays on the CPU. Not part of `npm test`.
export default defineConfig({
  test: {
    projects: [
      {
        // The backend suite, in the browser.
        resolve: common.resolve,
        plugins: [
          {
            // As the package's `browser` condition does.
            name: 'engine-for-browsers',
            enforce: 'pre',
            resolveId: (source, importer) =>
              (importer === undefined ? source : resolve(importer, '..', source)) === `${engine}index.ts`
                ? `${engine}browser.ts`
                : undefined,
          },
        ],
        optimizeDeps: { exclude: ['onnxruntime-web'] },
        test: {
          name: 'engine',
          include: ['packages/tfjs-backend-ort/test/*.browser.ts'],
          ...slow,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({ launchOptions }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
      {
        // The example, seen from outside.
        resolve: common.resolve,
        test: { name: 'page', include: ['examples/browser/test/*.browser.ts'], ...slow },
      },
    ],
  },
});
