// What `npm start` and `npm test` do first: installs and builds, each only when something has changed since the last time.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const projectRoot = fileURLToPath(new URL('..', import.meta.url));

/** Something that the user can mend: printed without a stack. */
export class SetUpError extends Error {}

/**
 * Installs the packages of the lockfile and, where `build` is set, builds those of the workspace.
 * The types are in setUp.d.mts.
 */
export async function setUp({
  build,
  root = projectRoot,
  nodeVersion = process.versions.node,
  run = runPnpm,
  say = line => console.error(line),
}) {
  checkNode(nodeVersion, JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).engines.node);

  const wanted = installHash(root);
  const installed = readStamp(root, 'install') !== wanted;
  if (installed) {
    say('Installing packages; this happens once …');
    const started = Date.now();
    const install = ['install', '--frozen-lockfile', '--config.confirmModulesPurge=false', '--reporter=append-only'];
    const { code, output } = await run(install, root);
    if (code !== 0) throw new SetUpError(whyInstallFailed(output, root));
    writeStamp(root, 'install', wanted);
    say(`Installed after ${seconds(started)}.`);
  }
  if (!build) return { installed, built: false };

  const sources = sourceHash(root, wanted);
  const built = readStamp(root, 'build') !== sources || !isBuilt(root);
  if (built) {
    say('Building packages; this happens when sources have changed …');
    const started = Date.now();
    const { code } = await run(['--recursive', '--filter', './packages/*', 'run', 'build'], root, true);
    if (code !== 0) throw new SetUpError('The build failed; its messages are above.');
    if (!isBuilt(root)) throw new SetUpError('The build ended without an error, but a package has no dist/index.js.');
    writeStamp(root, 'build', sources);
    say(`Built after ${seconds(started)}.`);
  }
  return { installed, built };
}

/** Runs a set-up and what follows it; a SetUpError becomes a message and exit status 1. */
export async function afterSetUp(options, next) {
  try {
    await setUp(options);
  } catch (error) {
    if (!(error instanceof SetUpError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
    return;
  }
  await next(projectRoot);
}

/** Runs Node on the rest of the work and takes over its exit status. */
export function runNode(args, root) {
  return new Promise(resolve => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' });
    // Ctrl-C reaches the child as well; it decides how to end, and this process follows.
    const ignore = () => undefined;
    process.on('SIGINT', ignore);
    const terminate = () => child.kill('SIGTERM');
    process.on('SIGTERM', terminate);
    child.on('error', error => {
      console.error(error.message);
      process.exitCode = 1;
      resolve();
    });
    child.on('close', (code, signal) => {
      process.off('SIGINT', ignore);
      process.off('SIGTERM', terminate);
      process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 143);
      resolve();
    });
  });
}

function checkNode(version, range) {
  const [, major, minor] = /(\d+)\.(\d+)/.exec(range).map(Number);
  const [ownMajor, ownMinor] = version.split('.').map(Number);
  if (ownMajor > major || (ownMajor === major && ownMinor >= minor)) return;
  throw new SetUpError(`Node ${range} is needed; this is Node ${version}. Newer ones are at https://nodejs.org.`);
}

/** The words that run pnpm of the version that package.json names, through npm's npx: any other may write another lockfile. */
export function pnpmCommand(root = projectRoot) {
  return ['npx', '--yes', JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).packageManager];
}

/** Its output is shown, or only if it fails. */
function runPnpm(args, root, isQuiet = false) {
  const [npx, ...pnpm] = pnpmCommand(root);
  return new Promise(resolve => {
    const child = spawn(npx, [...pnpm, ...args], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      // npx is a script on Windows.
      shell: process.platform === 'win32',
    });
    let output = '';
    const show = chunk => {
      output += chunk;
      if (!isQuiet) process.stderr.write(chunk);
    };
    child.stdout.on('data', show);
    child.stderr.on('data', show);
    child.on('error', error => resolve({ code: 1, output: String(error) }));
    child.on('close', code => {
      if (isQuiet && code !== 0) process.stderr.write(output);
      resolve({ code: code ?? 1, output });
    });
  });
}

function whyInstallFailed(output, root) {
  if (/ENOENT.*npx|npx.*ENOENT/.test(output)) return 'npx was not found: it comes with npm, which comes with Node.';
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT/.test(output)) {
    return 'The npm registry cannot be reached: check the network, and `npm config get registry` and `proxy`.';
  }
  if (/ENOSPC/.test(output)) return 'The disk is full: the packages need about 1.5 GB.';
  if (/ERR_PNPM_OUTDATED_LOCKFILE/.test(output)) {
    return `pnpm-lock.yaml does not fit the package.json files: run \`${pnpmCommand(root).join(' ')} install\` and commit the lockfile.`;
  }
  return 'The packages could not be installed; the messages are above.';
}

/** What decides which packages are installed. */
function installHash(root) {
  const manifests = ['packages', 'runtimes', 'examples', 'bench', 'test'].flatMap(folder => [
    ...manifestsBelow(root, folder),
  ]);
  const files = ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', ...manifests];
  return hashFiles(root, files, `${process.platform}-${process.arch}`);
}

function* manifestsBelow(root, folder) {
  const inner = existsSync(join(root, folder)) ? readdirSync(join(root, folder)) : [];
  for (const path of [folder, ...inner.map(name => join(folder, name))]) {
    if (existsSync(join(root, path, 'package.json'))) yield join(path, 'package.json');
  }
}

/** What decides how the built packages look. */
function sourceHash(root, install) {
  const files = ['tsconfig.json', 'tsdown.base.ts'].filter(file => existsSync(join(root, file)));
  for (const name of packagesOf(root)) {
    const folder = join(root, 'packages', name);
    if (existsSync(join(folder, 'tsdown.config.ts'))) files.push(relative(root, join(folder, 'tsdown.config.ts')));
    files.push(...[...filesBelow(join(folder, 'src'))].map(file => relative(root, file)));
  }
  return hashFiles(
    root,
    files.filter(file => !file.endsWith('.test.ts')),
    install,
  );
}

function isBuilt(root) {
  return packagesOf(root).every(name => existsSync(join(root, 'packages', name, 'dist', 'index.js')));
}

function packagesOf(root) {
  const folder = join(root, 'packages');
  return readdirSync(folder).filter(name => {
    const manifest = join(folder, name, 'package.json');
    return existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).scripts?.build !== undefined;
  });
}

function* filesBelow(folder) {
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) yield* filesBelow(path);
    else yield path;
  }
}

function hashFiles(root, files, salt) {
  const hash = createHash('sha256').update(salt);
  for (const file of files) hash.update(`\0${file}\0`).update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

// Beside the packages, so that a stamp goes when they go.
const stampPath = (root, name) => join(root, 'node_modules', `.dropbp-${name}`);

function readStamp(root, name) {
  const path = stampPath(root, name);
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

function writeStamp(root, name, hash) {
  writeFileSync(stampPath(root, name), hash);
}

function seconds(started) {
  return `${Math.round((Date.now() - started) / 1000)} s`;
}
