// Packs every public package and checks what users would install: publint, and types under every module resolution.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const packed = join(root, '.cache/packed');
rmSync(packed, { recursive: true, force: true });
mkdirSync(packed, { recursive: true });

let failed = 0;
for (const name of readdirSync(join(root, 'packages'))) {
  const folder = join(root, 'packages', name);
  if (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).private) continue;
  try {
    const { filename: tarball } = JSON.parse(
      run('npx', ['pnpm', 'pack', '--json', '--pack-destination', packed], folder),
    );
    const files = run('tar', ['-tzf', tarball], root).split('\n');
    const missing = ['README.md', 'LICENSE'].filter(file => !files.includes(`package/${file}`));
    if (missing.length > 0) throw new Error(`the package lacks ${missing.join(' and ')}`);
    run('npx', ['publint', 'run', '--strict', tarball], root);
    run('npx', ['attw', '--profile', 'esm-only', tarball], root);
    console.log(`@dropbp/${name}: fine, ${Math.round(statSync(tarball).size / 1024)} KB packed`);
  } catch (error) {
    failed++;
    console.error(`@dropbp/${name}: ${error.message}\n${error.stdout ?? ''}${error.stderr ?? ''}`);
  }
}
process.exitCode = failed > 0 ? 1 : 0;

function run(command, args, cwd) {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: 'pipe' });
}
