// Packs every public package and checks what users would get: manifest, licence, README, publint, types under every module
// resolution, and size. Prints the sizes as a table.
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { commandOf, emptyFolder, pack, publicPackages, root } from './packPackages.mjs';
import { printTable } from './printTable.mjs';

/** Most kilobytes that a package may have packed. Where one needs more, look first at what came in. */
// In data lies the interpreter of chat templates, in place of a dependency; in models and core lie 25 architectures and what they compute.
const mostKB = {
  '@dropbp/cli': 330,
  '@dropbp/core': 150,
  '@dropbp/data': 290,
  '@dropbp/models': 190,
  '@dropbp/tfjs-backend-ort': 200,
};
const mostKBOfOthers = 120;

const { repository } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
const packages = publicPackages();
const archives = pack(packages, emptyFolder('packed'));
const rows = [];
let failed = 0;
for (const each of packages) {
  try {
    checkManifest(each);
    const tarball = archives.get(each.name);
    const lines = run('tar', ['-tvzf', tarball], root).trim().split('\n');
    const files = lines.map(line => line.replace(/^.*? package\//, ''));
    const missing = ['README.md', 'LICENSE'].filter(file => !files.includes(file));
    if (missing.length > 0) throw new Error(`the package lacks ${missing.join(' and ')}`);
    run(commandOf('publint'), ['run', '--strict', tarball], root);
    run(commandOf('attw'), ['--profile', 'esm-only', tarball], root);
    const packedKB = Math.ceil(statSync(tarball).size / 1024);
    const unpackedKB = Math.ceil(lines.reduce((sum, line) => sum + Number(line.trim().split(/\s+/)[2]), 0) / 1024);
    const limit = mostKB[each.name] ?? mostKBOfOthers;
    rows.push([each.name, `${packedKB} KB`, `${limit} KB`, `${unpackedKB} KB`, String(files.length)]);
    if (packedKB > limit)
      throw new Error(`${packedKB} KB packed; the limit in scripts/checkPackages.mjs is ${limit} KB`);
  } catch (error) {
    failed++;
    console.error(`${each.name}: ${error.message}\n${error.stdout ?? ''}${error.stderr ?? ''}`);
  }
}
printTable(['package', 'packed', 'limit', 'unpacked', 'files'], rows);
console.log(failed === 0 ? `${rows.length} packages are fine` : `${failed} packages are not fine`);
process.exitCode = failed > 0 || rows.length === 0 ? 1 : 0;

/** What every manifest must say. */
function checkManifest({ folder, manifest }) {
  const expected = {
    license: 'Apache-2.0',
    type: 'module',
    'engines.node': '>=20.19',
    'publishConfig.access': 'public',
    'publishConfig.provenance': true,
    'repository.url': repository.url,
    'repository.directory': `packages/${basename(folder)}`,
  };
  for (const [path, value] of Object.entries(expected)) {
    const found = path.split('.').reduce((object, key) => object?.[key], manifest);
    if (found !== value)
      throw new Error(`package.json: ${path} is ${JSON.stringify(found)}, not ${JSON.stringify(value)}`);
  }
  if (manifest.sideEffects === undefined) throw new Error('package.json does not say which files have side effects');
  const dependsOnTfjs = manifest.dependencies?.['@tensorflow/tfjs'] !== undefined;
  if (dependsOnTfjs && manifest.bin === undefined) throw new Error('@tensorflow/tfjs must be a peer dependency');
}

function run(command, args, cwd) {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: 'pipe' });
}
