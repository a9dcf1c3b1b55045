// Installs the programs that judge exported files into .cache/exports, by npm alone and without install scripts.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../../.cache/exports', import.meta.url));
const version = '3.22.1';
const manifest = `${JSON.stringify(
  {
    private: true,
    dependencies: {
      'node-llama-cpp': version,
      // Its optional packages bring CUDA and Vulkan, a gigabyte: that of this machine's processor is enough.
      [`@node-llama-cpp/linux-${process.arch}`]: version,
    },
  },
  null,
  2,
)}\n`;
const file = join(folder, 'package.json');
const isThere = existsSync(join(folder, 'node_modules/.package-lock.json')) && readFileSync(file, 'utf8') === manifest;
if (!isThere) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, manifest);
  const options = ['--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
  const { status } = spawnSync('npm', ['install', ...options], { cwd: folder, stdio: 'inherit' });
  process.exitCode = status ?? 1;
}
