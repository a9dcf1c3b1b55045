// Runs the code of every README on the built packages, and checks its types. `node scripts/runReadmes.mjs train` runs
// only that of packages/train; the root's is called `project`. The blocks lie in out/readmes.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = join(root, 'out/readmes');
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
// The examples depend on every package, so what they can import, a README can.
symlinkSync(join(root, 'examples/node_modules'), join(out, 'node_modules'), 'junction');
writeFileSync(join(out, 'package.json'), '{ "type": "module" }\n');

const wanted = process.argv.slice(2);
const readmes = [
  ['project', 'README.md'],
  ...readdirSync(join(root, 'packages')).map(name => [name, `packages/${name}/README.md`]),
];
const blocks = readmes
  .filter(([name, path]) => existsSync(join(root, path)) && (wanted.length === 0 || wanted.includes(name)))
  .flatMap(([name, path]) => blocksOf(name, path));

const failed = [];
for (const { file, line } of blocks) {
  console.log(`--- ${line}`);
  if (!run('tsx', '--tsconfig', 'tsconfig.built.json', `out/readmes/${file}`)) failed.push(line);
}
console.log('--- types');
if (!run('tsc', '--noEmit', '-p', 'tsconfig.built.json')) failed.push('types');
console.log(failed.length === 0 ? `${blocks.length} blocks ran` : `failed: ${failed.join(', ')}`);
process.exitCode = failed.length > 0 || blocks.length === 0 ? 1 : 0;

/** Writes each ```ts block of a README into a file. */
function blocksOf(name, path) {
  const text = readFileSync(join(root, path), 'utf8');
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(({ 1: code, index }, i) => {
    const file = `${name}-${i + 1}.ts`;
    writeFileSync(join(out, file), code);
    return { file, line: `${path}:${text.slice(0, index).split('\n').length}` };
  });
}

function run(command, ...args) {
  return (
    spawnSync('npx', [command, ...args], { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' })
      .status === 0
  );
}
