// Fills the packages in runtimes/ with onnxruntime-node's files for their platform; see runtimes/README.md.
import { cpSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(join(root, 'packages/tfjs-backend-ort/package.json'));
const source = dirname(require.resolve('onnxruntime-node/package.json'));
const { version } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'));

// On macOS the library lies there twice; the binding asks for this one.
const unused = new Set([`libonnxruntime.${version}.dylib`]);

for (const { name } of readdirSync(join(root, 'runtimes'), { withFileTypes: true }).filter(e => e.isDirectory())) {
  const folder = join(root, 'runtimes', name);
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  if (manifest.version !== version)
    throw new Error(`runtimes/${name} is ${manifest.version}, the installed onnxruntime-node ${version}`);
  cpSync(join(root, 'runtimes/LICENSE'), join(folder, 'LICENSE'));
  if (!manifest.files.includes('bin')) continue;
  for (const part of ['bin', 'dist']) rmSync(join(folder, part), { recursive: true, force: true });
  const [os, cpu] = name.split('-');
  const binaries = `bin/napi-v6/${os}/${cpu}`;
  if (!existsSync(join(source, binaries))) throw new Error(`onnxruntime-node ${version} has no ${binaries}`);
  cpSync(join(source, binaries), join(folder, binaries), {
    recursive: true,
    filter: path => !unused.has(path.split(/[\\/]/).at(-1)),
  });
  cpSync(join(source, 'dist'), join(folder, 'dist'), { recursive: true, filter: path => !path.endsWith('.map') });
  console.log(`${manifest.name}: filled`);
}
