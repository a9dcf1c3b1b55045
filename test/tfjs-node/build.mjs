/**
 * Builds @tensorflow/tfjs-node from the sources in its npm package against the libtensorflow of PyPI's tensorflow-cpu, where
 * its own install script would download binaries from elsewhere. Into .cache, nothing of the project changes; does nothing
 * where it is there already.
 *
 *     node test/tfjs-node/build.mjs
 *
 * It needs npm, Python 3 with pip, and a C++ compiler: `g++`, or what CXX names. PYTHON names another Python.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { installed, libtensorflow, root, tfjsNode } from './paths.mjs';

const versions = { '@tensorflow/tfjs-node': '4.22.0', 'node-api-headers': '1.9.0' };
const requirements = join(import.meta.dirname, 'requirements.txt');
const unpack = join(import.meta.dirname, 'unpack.py');
const minutes = 60_000;

/** Something that the user can mend: printed without a stack. */
class BuildError extends Error {}

try {
  checkPlatform();
  once(libtensorflow, hashOf(requirements, unpack), unpackLibtensorflow);
  once(installed, hashOf(requirements, unpack, import.meta.filename), buildTfjsNode);
  console.log(`tfjs-node: ${relative(root, tfjsNode)}`);
} catch (error) {
  if (!(error instanceof BuildError)) throw error;
  console.error(`tfjs-node: ${error.message}`);
  process.exitCode = 1;
}

function checkPlatform() {
  if (process.platform === 'linux' && process.arch === 'x64') return;
  throw new BuildError(
    `requirements.txt names a wheel for Linux on x64 alone; this is ${process.platform} on ${process.arch}.`,
  );
}

/** Makes a folder whole or not at all, and anew when what it is made from has changed. */
function once(folder, madeFrom, make) {
  const stamp = join(folder, 'made-from.sha256');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === madeFrom) return;
  const started = Date.now();
  const temporary = `${folder}.${process.pid}`;
  mkdirSync(temporary, { recursive: true });
  try {
    make(temporary);
    writeFileSync(join(temporary, 'made-from.sha256'), madeFrom);
    rmSync(folder, { recursive: true, force: true });
    renameSync(temporary, folder);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  console.log(`tfjs-node: made ${relative(root, folder)} after ${Math.round((Date.now() - started) / 1000)} s`);
}

function unpackLibtensorflow(folder) {
  const python = pythonWithPip();
  console.log('tfjs-node: downloading tensorflow-cpu, 274 MB');
  const wheel = ['--implementation', 'cp', '--python-version', '3.11', '--platform', 'manylinux_2_27_x86_64'];
  const args = [
    '-m',
    'pip',
    'download',
    '--quiet',
    '--disable-pip-version-check',
    '--no-deps',
    '--only-binary',
    ':all:',
  ];
  run(python, [...args, ...wheel, '--require-hashes', '-r', requirements, '--dest', folder], {
    timeout: 15 * minutes,
    failed: 'tensorflow-cpu could not be downloaded: check the network and `pip config list`',
  });
  run(python, [unpack, folder], {
    timeout: 5 * minutes,
    failed: 'the wheel could not be unpacked: it needs 1.2 GB of disk',
  });
}

function pythonWithPip() {
  const candidates = [process.env.PYTHON, join(root, '.venv/bin/python'), 'python3'].filter(Boolean);
  const found = candidates.find(python => spawnSync(python, ['-m', 'pip', '--version']).status === 0);
  if (found !== undefined) return found;
  throw new BuildError(
    `no Python with pip: tried ${candidates.join(', ')}; name one in PYTHON, or install python3-pip.`,
  );
}

function buildTfjsNode(folder) {
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies: versions }));
  // Its install script is what would download.
  const args = [
    'install',
    '--prefix',
    folder,
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--omit=dev',
    '--loglevel=error',
  ];
  run('npm', args, {
    timeout: 10 * minutes,
    failed: 'its npm package could not be installed: check `npm config get registry`',
  });
  shareTfjs(folder);
  const inFolder = (...parts) => join(folder, relative(installed, tfjsNode), ...parts);
  compile(inFolder('binding'), join(folder, 'node_modules/node-api-headers/include'), inFolder('lib/napi-v8'));
  tryOut(inFolder());
}

/** The project's tfjs in place of its own: two would be two engines. */
function shareTfjs(folder) {
  const scope = join(folder, 'node_modules/@tensorflow');
  for (const name of readdirSync(scope)) if (name !== 'tfjs-node') rmSync(join(scope, name), { recursive: true });
  const link = (name, from) => {
    const found = join(createRequire(from).resolve(`@tensorflow/${name}/package.json`), '..');
    symlinkSync(relative(scope, realpathSync(found)), join(scope, name));
    return found;
  };
  const tfjs = link('tfjs', join(root, 'packages/cli/package.json'));
  link('tfjs-core', join(realpathSync(tfjs), 'package.json'));
}

/** What node-gyp would do with its binding.gyp, without a download of Node's headers: the binding uses Node-API alone. */
function compile(sources, nodeHeaders, target) {
  mkdirSync(target, { recursive: true });
  const files = readdirSync(sources)
    .filter(file => file.endsWith('.cc'))
    .map(file => join(sources, file));
  const headers = [nodeHeaders, join(libtensorflow, 'include')].map(folder => `-I${folder}`);
  const lib = join(libtensorflow, 'lib');
  const libraries = [
    `-L${lib}`,
    '-l:libtensorflow_cc.so.2',
    '-l:libtensorflow_framework.so.2',
    `-Wl,-rpath,$ORIGIN/${relative(target, lib)}`,
  ];
  const output = ['-o', join(target, 'tfjs_binding.node')];
  run(
    process.env.CXX ?? 'g++',
    ['-std=c++17', '-O2', '-shared', '-fPIC', '-DNAPI_VERSION=8', ...headers, ...files, ...libraries, ...output],
    {
      timeout: 5 * minutes,
      failed: 'its binding could not be compiled: is a C++ compiler installed (Debian: g++)? CXX names another',
    },
  );
}

/** Loads it, which starts TensorFlow. */
function tryOut(folder) {
  const script = `const tf = require(${JSON.stringify(folder)}); console.log('tfjs-node: built against', tf.backend().binding.TF_Version)`;
  run(process.execPath, ['-e', script], { timeout: 2 * minutes, failed: 'it was built and does not load' });
}

/** Runs a command; its messages are shown. */
function run(command, args, { timeout, failed }) {
  const { error, status, signal } = spawnSync(command, args, {
    cwd: root,
    timeout,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' },
  });
  if (status === 0) return;
  const why =
    error?.code === 'ETIMEDOUT' || signal === 'SIGTERM' ? `nothing after ${timeout / minutes} minutes` : error?.message;
  throw new BuildError(`${failed}${why === undefined ? '' : ` (${why})`}.`);
}

/** Of files, and of what else a build depends on. */
function hashOf(...files) {
  const hash = createHash('sha256').update(`${process.platform}-${process.arch}`);
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest('hex');
}
