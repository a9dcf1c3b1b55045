// Holds the import table: which package may import which. Fails with the file and line of every other import.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const adapters = ['peft-lora', 'peft-prefix', 'peft-ia3', 'peft-full'];

/** Package → the packages that its sources may import. `types:` means `import type` only; `lazy:` means `import()` only. */
const table = {
  basics: [],
  safetensors: ['basics'],
  engine: [],
  core: ['basics', 'types:engine'],
  hub: ['basics'],
  models: ['basics', 'core', 'safetensors', 'lazy:hub', 'types:hub'],
  ...Object.fromEntries(adapters.map(name => [name, ['basics', 'core']])),
  dropbp: ['basics', 'types:core'],
  compose: [
    'basics',
    'core',
    'dropbp',
    'safetensors',
    'lazy:hub',
    'types:hub',
    ...adapters.map(name => `lazy:${name}`),
  ],
  train: ['basics', 'core', 'compose', 'safetensors'],
  data: ['basics', 'types:core'],
  preferences: ['basics', 'core', 'data'],
  export: [
    ...['basics', 'core', 'models', 'safetensors', 'data', 'compose', 'peft-lora'],
    ...['types:tfjs-backend-ort', 'lazy:tfjs-backend-ort'],
  ],
  setup: ['basics', 'core', 'models', 'data', 'lazy:tfjs-backend-ort'],
  serve: ['basics', 'core', 'models', 'data', 'compose'],
  classify: ['basics', 'core', 'models', 'data', 'compose'],
  embed: ['basics', 'core', 'models', 'data', 'safetensors'],
  mpi: ['basics', 'types:train'],
  'tfjs-backend-ort': ['basics', 'types:engine'],
  cli: [
    'basics',
    'safetensors',
    'core',
    'models',
    ...adapters,
    'dropbp',
    'compose',
    'train',
    'data',
    'hub',
    'export',
    'serve',
    'lazy:mpi',
    'setup',
    'classify',
    'embed',
  ],
  'front-door': [...['basics', 'core', 'models', ...adapters, 'dropbp', 'compose', 'train', 'data', 'setup', 'export']],
  testing: ['basics', 'core'],
};

/** Packages that hold no tensors and so never import TensorFlow.js. */
const withoutTensors = ['basics', 'safetensors', 'dropbp', 'mpi'];

/** Packages that run in Node alone. The others ask for a module of Node by `nodeModule()`, so that bundles for browsers hold no import of one. */
const nodeOnly = ['cli', 'mpi', 'serve', 'testing'];

/** Files of other packages that run in Node alone: a condition of the exports keeps them out of bundles for browsers. */
const nodeOnlyFiles =
  /^packages\/(tfjs-backend-ort\/src\/device\/node\/\w+|setup\/src\/backend\/(nodeBackends|registerTfjsNode))\.ts$/;

const root = fileURLToPath(new URL('..', import.meta.url));
const wrong = [];
for (const name of readdirSync(join(root, 'packages'))) {
  if (!(name in table)) wrong.push(`packages/${name} is not in the table of scripts/checkImports.mjs`);
  else for (const file of sources(join(root, 'packages', name, 'src'))) check(name, file);
}
for (const line of wrong) console.error(line);
console.log(`imports: ${wrong.length === 0 ? 'as the table says' : `${wrong.length} against the table`}`);
process.exitCode = wrong.length > 0 ? 1 : 0;

function check(name, file) {
  const isTest = file.endsWith('.test.ts');
  const isNodeOnly = nodeOnly.includes(name) || nodeOnlyFiles.test(relative(root, file));
  const text = readFileSync(file, 'utf8');
  const statement =
    /(?:^|\n)\s*(import|export)(\s+type)?\s[^;]*?from\s+'([^']+)'|(?:^|\n)\s*import\s+'([^']+)'|import\('([^']+)'\)/g;
  for (const match of text.matchAll(statement)) {
    const specifier = match[3] ?? match[4] ?? match[5];
    const before = text.slice(0, match.index);
    const isType = match[2] !== undefined || (match[5] !== undefined && /(typeof|[:|&<,])\s*$/.test(before));
    const line = text.slice(0, match.index + match[0].length).split('\n').length;
    const where = `${relative(root, file)}:${line}`;
    if (/^@dropbp\/[^/]+\//.test(specifier))
      wrong.push(`${where} reaches into ${specifier}: import the package's root`);
    if (/^@tensorflow\/tfjs-core|^@tensorflow\/tfjs\//.test(specifier))
      wrong.push(`${where} imports ${specifier}: import @tensorflow/tfjs`);
    if (specifier.startsWith('@tensorflow/') && withoutTensors.includes(name) && !isTest)
      wrong.push(`${where} imports ${specifier}: ${name} holds no tensors`);
    if (specifier.startsWith('node:') && !isType && !isTest && !isNodeOnly)
      wrong.push(`${where} imports ${specifier}: ask nodeModule() of @dropbp/basics for it`);
    const other = /^@dropbp\/([^/]+)$/.exec(specifier)?.[1];
    if (other === undefined || other === name) continue;
    const allowed =
      table[name].includes(other) ||
      (table[name].includes(`types:${other}`) && isType) ||
      (table[name].includes(`lazy:${other}`) && match[5] !== undefined) ||
      (isTest && other === 'testing');
    if (!allowed)
      wrong.push(`${where} imports @dropbp/${other}: ${name} may import ${table[name].join(', ') || 'nothing'}`);
  }
}

function* sources(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (entry.name.endsWith('.ts')) yield path;
  }
}
