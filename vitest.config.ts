import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig, type TestProjectConfiguration, type ViteUserConfig } from 'vitest/config';

const root = fileURLToPath(new URL('.', import.meta.url));

// Tests run on the sources, so that none passes on a stale build.
const sources = {
  alias: [
    { find: /^@dropbp\/([a-z0-9-]+)$/, replacement: `${root}packages/$1/src/index.ts` },
    { find: /^dropbp$/, replacement: `${root}packages/front-door/src/index.ts` },
  ],
};

type Test = NonNullable<ViteUserConfig['test']>;

function project(name: string, test: Test, more: ViteUserConfig = {}): TestProjectConfiguration {
  return { ...more, resolve: sources, test: { testTimeout: 60_000, ...test, name } };
}

/** A project whose files run one after the other. */
function slow(name: string, seconds: number, test: Test, more: ViteUserConfig = {}): TestProjectConfiguration {
  return project(name, { testTimeout: seconds * 1000, fileParallelism: false, ...test }, more);
}

/** Tests that choose a backend, or look at what one holds, each in a process of its own. */
const ownBackend = [
  'packages/{compose,testing,tfjs-backend-ort}/{src,test}/**/*.test.ts',
  'test/{*OnEngine,packedBatches,logLikelihoods}.test.ts',
];

/** What `npm test` runs. */
const usual = [
  // Loading TensorFlow.js and our sources takes longer than most tests: a worker loads them once for all of its files.
  project('shared', {
    include: ['packages/*/{src,test}/**/*.test.ts', 'test/*.test.ts', '{scripts,bench}/*.test.ts'],
    exclude: ownBackend,
    isolate: false,
  }),
  project('backends', { include: ownBackend }),
];

/** What `--project` names: the sections of scripts/ci.mjs say what each needs. */
const others: Readonly<Record<string, () => TestProjectConfiguration | Promise<TestProjectConfiguration>>> = {
  adapters: () => project('adapters', { include: ['test/adapters/*.adapters.ts'] }),
  exports: () => slow('exports', 300, { include: ['test/exports/*.exports.ts'], hookTimeout: 300_000 }),
  // The launchers themselves miss a signal or an exit code now and then.
  mpi: () => slow('mpi', 120, { include: ['test/mpi/*.mpi.ts'], retry: 1 }),
  parity: () => slow('parity', 900, { include: ['test/parity/*.parity.ts'] }),
  privacy: () => slow('privacy', 180, { include: ['test/privacy/*.privacy.ts'] }),
  'tfjs-node': () =>
    slow('tfjs-node', 120, {
      include: ['test/tfjs-node/*.tfjsNode.ts'],
      // What test/tfjs-node/build.mjs makes.
      alias: [
        {
          find: '@tensorflow/tfjs-node',
          replacement: `${root}.cache/tfjs-node/node_modules/@tensorflow/tfjs-node/dist/index.js`,
        },
      ],
      env: { TF_CPP_MIN_LOG_LEVEL: '2' },
    }),
  webgpu: () =>
    slow('webgpu', 300, {
      include: [
        'packages/tfjs-backend-ort/test/*.webgpu.ts',
        'test/*OnEngine.test.ts',
        'packages/compose/test/engine.test.ts',
      ],
      // The device holds no packed weights.
      exclude: ['test/packedOnEngine.test.ts'],
      env: { DROPBP_ORT_DEVICE: 'node-webgpu' },
    }),
  // The backend suite, in Chromium, on a GPU that it plays on the CPU.
  engine: browserEngine,
  // The example, seen from outside.
  page: () => slow('page', 300, { include: ['examples/browser/test/*.browser.ts'], hookTimeout: 180_000 }),
};

async function browserEngine(): Promise<TestProjectConfiguration> {
  const { playwright } = await import('@vitest/browser-playwright');
  const { launchOptions } = await import('./examples/browser/test/openPage.ts');
  const engine = `${root}packages/tfjs-backend-ort/src/`;
  const browser: Test['browser'] = {
    ...{ enabled: true, headless: true, screenshotFailures: false },
    provider: playwright({ launchOptions }),
    instances: [{ browser: 'chromium' }],
  };
  return slow(
    'engine',
    300,
    { include: ['packages/tfjs-backend-ort/test/*.browser.ts'], hookTimeout: 180_000, browser },
    {
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
    },
  );
}

/** The projects that the command line names, as `--project a` or `--project=a`. */
const named = process.argv.flatMap((word, i, words) =>
  word === '--project' ? [words[i + 1] ?? ''] : word.startsWith('--project=') ? [word.slice(10)] : [],
);
const made: TestProjectConfiguration[] = [];
for (const name of named) if (Object.hasOwn(others, name)) made.push(await others[name]!());

export default defineConfig({
  test: {
    // Of the projects together.
    maxWorkers: '100%',
    reporters: ['default'],
    projects: [...usual, ...made],
  },
});
