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
    run('npx', ['pnpm', 'pack', '--pack-destination', packed], folder);
    const tarball = join(
      packed,
      readdirSync(packed).find(
        file => file.startsWith(`dropbp-${name}-0`) || new RegExp(`^dropbp-${name}-\\d`).test(file),
      ),
    );
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
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: 'pipe' });
}
