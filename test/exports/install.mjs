// Installs the programs that judge exported files and the server into .cache/exports, by npm alone and without install scripts.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const llamaCpp = '3.22.1';
/** Folder → what is installed there, and how. */
const programs = {
  'llama-cpp': {
    // Its optional packages bring CUDA and Vulkan, a gigabyte: that of this machine's processor is enough.
    dependencies: { 'node-llama-cpp': llamaCpp, [`@node-llama-cpp/linux-${process.arch}`]: llamaCpp },
    options: ['--omit=optional'],
  },
  'transformers-js': { dependencies: { '@huggingface/transformers': '4.3.2' }, options: [] },
  'openai-clients': {
    dependencies: { openai: '6.49.0', ai: '6.0.333', '@ai-sdk/openai-compatible': '2.0.92' },
    options: [],
  },
};

for (const [name, { dependencies, options }] of Object.entries(programs)) {
  const folder = join(fileURLToPath(new URL('../../.cache/exports', import.meta.url)), name);
  const manifest = `${JSON.stringify({ private: true, dependencies }, null, 2)}\n`;
  const file = join(folder, 'package.json');
  const isThere =
    existsSync(join(folder, 'node_modules/.package-lock.json')) && readFileSync(file, 'utf8') === manifest;
  if (isThere) continue;
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, manifest);
  const plain = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
  const { status } = spawnSync('npm', ['install', ...plain, ...options], { cwd: folder, stdio: 'inherit' });
  if (status !== 0) process.exit(1);
}
