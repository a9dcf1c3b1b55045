import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import base from './vitest.config.ts';

const engine = fileURLToPath(new URL('./packages/tfjs-backend-ort/src/', import.meta.url));

// Runs the backend suite in Chromium, on a GPU that Chromium plays on the CPU. Not part of `npm test`.
export default defineConfig({
  ...base,
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
    {
      name: 'cross-origin-isolated',
      configureServer({ middlewares }) {
        middlewares.use((_, response, next) => {
          response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
          response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
          response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
          next();
        });
      },
    },
  ],
  optimizeDeps: { exclude: ['onnxruntime-web'] },
  test: {
    ...base.test,
    include: ['packages/tfjs-backend-ort/test/*.browser.ts'],
    testTimeout: 120_000,
    fileParallelism: false,
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: playwright({
        launchOptions: {
          executablePath: '/usr/bin/chromium',
          args: [
            '--enable-unsafe-webgpu',
            '--use-webgpu-adapter=swiftshader',
            '--enable-features=Vulkan',
            '--ignore-gpu-blocklist',
            '--js-flags=--expose-gc',
          ],
        },
      }),
      instances: [{ browser: 'chromium' }],
    },
  },
});
