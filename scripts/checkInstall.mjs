// Installs every public package into empty projects, by npm and by pnpm, as users do, and checks there: types under both module
// resolutions, a small training on Node 20, 24 and 26, the command, a page's bundle, and what was fetched.
// `node scripts/checkInstall.mjs npm` does it with npm alone.
import { execFile, execFileSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { bundlePage } from './bundlePage.mjs';
import { installedMB } from './installedSize.mjs';
import { localRegistry } from './localRegistry.mjs';
import { emptyFolder, pack, publicPackages, root } from './packPackages.mjs';
import { printTable } from './printTable.mjs';
import { pnpmCommand } from './setUp.mjs';

const nodeVersions = [20, 24, 26];
/** Most megabytes of node_modules with everything of ours in it. TensorFlow.js alone has 270. */
const mostMB = 450;
/** Most megabytes of one package with what it depends on, peers aside. The command brings TensorFlow.js along. */
// setup and export carry the engine; mpi carries koffi, serve carries hono; both, through compose, the hub's library.
const mostInstalledMB = {
  ...{ dropbp: 365, '@dropbp/cli': 365 },
  ...{
    '@dropbp/setup': 60,
    '@dropbp/export': 60,
    '@dropbp/tfjs-backend-ort': 50,
    '@dropbp/mpi': 14,
    '@dropbp/serve': 16,
    '@dropbp/classify': 20,
    '@dropbp/embed': 20,
  },
};
const mostInstalledMBOfOthers = 10;
const mostPageKB = 1300;

const managers = process.argv.length > 2 ? process.argv.slice(2) : ['npm', 'pnpm'];
run('node', ['scripts/buildRuntimes.mjs'], root);
const packages = publicPackages();
const archives = pack([...packages, ...publicPackages(['runtimes'])], emptyFolder('packed'));
const packed = [...archives].map(([name, archive]) => ({ name, archive }));
const others = [
  '@tensorflow/tfjs@4.22.0',
  '@types/node@20',
  `typescript@${JSON.parse(run('npm', ['pkg', 'get', 'devDependencies.typescript'], root))}`,
];
const registry = await localRegistry(packed);
try {
  for (const manager of managers) await check(manager);
} finally {
  registry.close();
}

async function check(manager) {
  const project = emptyFolder(`install/${manager}`);
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }\n');
  // A project of its own, not a part of this workspace.
  writeFileSync(join(project, 'pnpm-workspace.yaml'), 'packages: []\n');
  writeFileSync(join(project, '.npmrc'), `@dropbp:registry=${registry.url}\n`);
  registry.fetched.length = 0;
  const started = Date.now();
  const names = packages.map(({ name }) => name);
  // The registry of a scope has no names without one.
  const wanted = names.map(name => (name.startsWith('@') ? name : archives.get(name)));
  // A cache of its own: versions that are not published yet change under one number.
  const cache = emptyFolder(`install/${manager}-cache`);
  const install =
    manager === 'npm'
      ? ['npm', 'install', '--no-audit', '--no-fund', '--loglevel=error', `--cache=${cache}`]
      : [...pnpmCommand(), 'add', '--reporter=append-only', `--store-dir=${cache}`, `--config.cache-dir=${cache}`];
  await runWaiting(install[0], [...install.slice(1), ...wanted, ...others], project);
  const sizeMB = Math.round(Number(run('du', ['-sk', 'node_modules'], project).split('\t')[0]) / 1024);
  console.log(`${manager}: installed in ${Math.round((Date.now() - started) / 1000)} s, ${sizeMB} MB`);
  if (sizeMB > mostMB) throw new Error(`node_modules has ${sizeMB} MB; the limit is ${mostMB} MB`);
  checkRuntimes(manager);

  writeFileSync(join(project, 'consumer.ts'), consumer(names));
  for (const [module, moduleResolution] of [
    ['node16', 'node16'],
    ['esnext', 'bundler'],
  ]) {
    const compilerOptions = {
      ...{ module, moduleResolution, target: 'es2023', lib: ['es2023', 'dom'], types: ['node'] },
      ...{ noEmit: true, strict: true, exactOptionalPropertyTypes: true, skipLibCheck: true },
    };
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['consumer.ts'] }));
    run('npx', ['tsc', '-p', '.'], project);
    console.log(`${manager}: types with ${moduleResolution}`);
  }

  for (const file of readdirSync(join(root, 'test/install')))
    cpSync(join(root, 'test/install', file), join(project, file));
  for (const version of nodeVersions) console.log(`${manager}: ${run(nodeOf(version), ['train.mjs'], project).trim()}`);
  const command = run(join(project, 'node_modules/.bin/dropbp'), ['--version'], project).trim();
  console.log(`${manager}: dropbp --version says ${command}`);
  const usage = /Usage +(.*) <command>/.exec(run('npx', ['dropbp', '--help'], project))?.[1];
  if (usage !== 'npx dropbp') throw new Error(`the help says '${usage}', which a shell does not find here: npx dropbp`);

  firstProgram(manager, project);

  if (manager !== 'npm') return;
  checkSizes(project, names);
  const kilobytes = await bundlePage(project, 'page.html');
  console.log(`page: ${kilobytes.plain} KB, ${kilobytes.gzip} KB compressed`);
  if (kilobytes.plain > mostPageKB)
    throw new Error(`the page has ${kilobytes.plain} KB; the limit is ${mostPageKB} KB`);
}

/** The README's first program: short, of one import, type-checked, and run on the packed packages. */
function firstProgram(manager, project) {
  const code = /```ts\n(.*?)```/s.exec(readFileSync(join(root, 'README.md'), 'utf8'))[1];
  const lines = code.split('\n').filter(line => line.trim() !== '');
  const imports = lines.filter(line => line.startsWith('import '));
  if (lines.length > 10 || imports.length !== 1)
    throw new Error(
      `README.md: the first program has ${lines.length} lines and ${imports.length} imports, not 10 and 1`,
    );
  for (const folder of ['models', 'examples/data'])
    cpSync(join(root, folder), join(project, folder), { recursive: true });
  writeFileSync(join(project, 'first.ts'), code);
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2023',
    lib: ['es2023', 'dom'],
    types: ['node'],
    strict: true,
    // TensorFlow.js's own declarations do not pass.
    skipLibCheck: true,
  };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['first.ts'] }));
  run('npx', ['tsc', '-p', '.'], project);
  console.log(`${manager}: the README's first program: ${run('node', ['first.js'], project).trim()}`);
}

/** What each package brings along. */
function checkSizes(project, names) {
  const sizes = names.map(name => ({
    name,
    size: installedMB(project, name),
    limit: mostInstalledMB[name] ?? mostInstalledMBOfOthers,
  }));
  printTable(
    ['installed with what it depends on', 'size', 'limit'],
    sizes.map(({ name, size, limit }) => [name, `${size.toFixed(1)} MB`, `${limit} MB`]),
  );
  const large = sizes.filter(({ size, limit }) => size > limit).map(({ name }) => name);
  if (large.length > 0) throw new Error(`larger than the limit in scripts/checkInstall.mjs: ${large.join(', ')}`);
}

/** Of ONNX Runtime, what this platform needs and nothing else. */
function checkRuntimes(manager) {
  const here = process.platform === 'win32' ? 'win32' : `${process.platform}-${process.arch}`;
  const fetched = registry.fetched.filter(name => name.startsWith('@dropbp/onnxruntime-'));
  console.log(`${manager}: fetched ${fetched.join(', ')}`);
  if (fetched.length !== 1 || fetched[0] !== `@dropbp/onnxruntime-${here}`)
    throw new Error(`of the runtimes ${fetched.join(', ') || 'none'} were fetched, not that of ${here} alone`);
}

/** A program that uses the types of every public entry. */
function consumer(names) {
  const id = name => name.replace(/\W/g, '_');
  return [
    ...names.map(name => `import * as ${id(name)} from '${name}';`),
    `export const everything: object[] = [${names.map(id).join(', ')}];`,
    `const adapter: _dropbp_core.Adapter = _dropbp_peft_lora.lora({ rank: 8, targetModules: ['q_proj'] });`,
    `export const tuned: _dropbp_compose.Tuned = _dropbp_compose.compose(`,
    `  _dropbp_models.createModel({ model_type: 'llama', vocab_size: 8 }, { seed: 1 }), adapter, _dropbp_dropbp.dropBP({ rate: 0.5 }));`,
    `// @ts-expect-error: types are checked, not any`,
    `_dropbp_peft_lora.lora({ rank: 'eight' });`,
    '',
  ].join('\n');
}

/** A Node of that version: this one, or one from npm, kept in .cache. */
function nodeOf(version) {
  if (process.versions.node.startsWith(`${version}.`)) return process.execPath;
  const prefix = join(root, `.cache/node${version}`);
  const binary = join(prefix, 'node_modules/node/bin/node');
  if (!existsSync(binary))
    run('npm', ['install', '--no-save', '--no-package-lock', '--prefix', prefix, `node@${version}`], root);
  return binary;
}

function run(command, args, cwd) {
  try {
    return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    throw new Error(`${command} ${args.join(' ')}\n${error.stdout}${error.stderr}`, { cause: error });
  }
}

/** The same, while this process answers as the registry. */
async function runWaiting(command, args, cwd) {
  try {
    return (await promisify(execFile)(command, args, { cwd, maxBuffer: 2 ** 26 })).stdout;
  } catch (error) {
    throw new Error(`${command} ${args.join(' ')}\n${error.stdout}${error.stderr}`, { cause: error });
  }
}
