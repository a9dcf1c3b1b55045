// Runs every check and closes with their count. `node scripts/ci.mjs lint types` runs only those.
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterSetUp } from './setUp.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const python = '.venv/bin/python';
// Does nothing where nothing has changed since the last time, so that each section works alone and all together build once.
const build = 'node scripts/build.mjs';

/** Name → commands, run in order until one fails. `vitest` marks those that report how many tests ran. */
const checks = {
  test: [{ run: 'npm test', vitest: true }],
  lint: ['npx eslint . --max-warnings 0'],
  format: ['npx prettier --check .'],
  imports: ['node scripts/checkImports.mjs', 'npx depcruise packages'],
  files: ['node scripts/checkFiles.mjs', 'npx tsx bench/fillTables.ts --check'],
  prose: ['node scripts/checkProse.mjs'],
  types: ['npx tsc --noEmit'],
  build: [build],
  packages: [build, 'node scripts/checkPackages.mjs'],
  install: [build, 'node scripts/checkInstall.mjs'],
  api: ['npx typedoc'],
  copies: ['node scripts/checkCopies.mjs'],
  workflows: ['node scripts/checkWorkflows.mjs'],
  start: ['npm start'],
  examples: [build, 'node scripts/runExamples.mjs'],
  readmes: [build, 'node scripts/runReadmes.mjs'],
  // Every adapter on the architectures that are too many for `npm test`.
  adapters: [{ run: 'npx vitest run --project adapters', vitest: true }],
  node24: [
    'npm install --no-save --no-package-lock --prefix .cache/node24 node@24',
    { run: '.cache/node24/node_modules/node/bin/node node_modules/vitest/vitest.mjs run', vitest: true },
  ],
  webgpu: [
    // Vulkan on the CPU, for machines without a GPU.
    'ls /usr/share/vulkan/icd.d/lvp_icd*.json || (apt-get update && apt-get install --yes --no-install-recommends libvulkan1 mesa-vulkan-drivers)',
    { run: 'npx vitest run --project webgpu', vitest: true },
  ],
  browser: [
    'which chromium || (apt-get update && apt-get install --yes --no-install-recommends chromium)',
    build,
    { run: 'npx vitest run --project engine --project page', vitest: true },
  ],
  'tfjs-node': [
    // The first time it downloads 274 MB; on a machine that is not Linux on x64 it fails and says so.
    'timeout 1200 node test/tfjs-node/build.mjs',
    { run: 'npx vitest run --project tfjs-node', vitest: true },
  ],
  mpi: [
    // Open MPI and MPICH side by side, network namespaces, and MPICH 5 for its library of the MPI 5 ABI.
    '(command -v mpirun.openmpi && command -v mpirun.mpich && command -v ip) || (apt-get update && apt-get install --yes --no-install-recommends openmpi-bin mpich iproute2)',
    'test -e .cache/mpich5/lib/libmpi_abi.so.1 || (python3 -m venv .cache/mpich5 && .cache/mpich5/bin/pip install --quiet mpich==5.0.2)',
    { run: 'npx vitest run --project mpi', vitest: true },
  ],
  privacy: [
    'command -v strace || (apt-get update && apt-get install --yes --no-install-recommends strace)',
    build,
    { run: 'npx vitest run --project privacy', vitest: true },
  ],
  reliability: [
    build,
    'npx tsx --tsconfig tsconfig.built.json test/reliability/kill.ts --kills 10',
    // A file system that fills up, where one may be made.
    'mkdir -p out/small; mountpoint -q out/small || mount -t tmpfs -o size=4m tmpfs out/small || true',
    'npx tsx --tsconfig tsconfig.built.json test/reliability/ends.ts $(mountpoint -q out/small && echo --small out/small)',
    'npx tsx test/reliability/faults/faults.ts --seconds 120',
    'npx tsx --tsconfig tsconfig.built.json test/reliability/soak.ts',
    // One seed, so that what passed once passes again.
    'npx tsx test/fuzz/fuzz.ts --runs 10000 --seconds 150 --seed 31',
  ],
  memory: [build, 'npx tsx --tsconfig tsconfig.built.json test/reliability/plannedMemory.ts'],
  exports: ['node test/exports/install.mjs', { run: 'npx vitest run --project exports', vitest: true }],
  parity: [
    'bash test/parity/make.sh',
    { run: 'npx vitest run --project parity', vitest: true },
    `${python} test/parity/check_ours.py --all`,
    // One seed, so that a section that passed once passes again; without it each run draws another.
    'npx tsx test/fuzz/differential/differential.ts --runs 5000 --seconds 75 --seed 31',
  ],
};

/** Those that keep every core busy, or watch the memory of a process. All others wait a lot and run side by side. */
const alone = ['test', 'build', 'node24', 'memory'];
/** Those that take long, the longest first: begun last, one of them would run alone at the end. */
const long = ['parity', 'adapters', 'reliability', 'install', 'mpi', 'webgpu', 'browser', 'exports', 'tfjs-node'];
/** How many sections run side by side. */
const LANES = 2;

const wanted = process.argv.slice(2);
const unknown = wanted.filter(name => !(name in checks));
if (unknown.length > 0) {
  console.error(`no such check: ${unknown.join(', ')}; there are ${Object.keys(checks).join(', ')}`);
  process.exit(2);
}

// All together begin with `npm test`, which installs.
if (wanted.length > 0) await afterSetUp({ build: false }, () => Promise.resolve());

const names = Object.keys(checks).filter(name => wanted.length === 0 || wanted.includes(name));
const [first, last] = [['test', 'build'], alone.slice(2)].map(group => group.filter(name => names.includes(name)));
const beside = names.filter(name => !alone.includes(name)).sort((a, b) => place(a) - place(b));

let passed = 0;
const failures = [];
mkdirSync(`${root}.cache/ci`, { recursive: true });
// Sections that build find it done, so that no two build at a time.
if (beside.length > 1 && first.at(-1) !== 'build' && beside.some(name => checks[name].includes(build)))
  first.push('build');
for (const name of first) await check(name);
await Promise.all(
  Array.from({ length: LANES }, async () => {
    for (let name = beside.shift(); name !== undefined; name = beside.shift()) await check(name);
  }),
);
for (const name of last) await check(name);

for (const failure of failures) console.log(`FAILED ${failure}`);
console.log(`\n${passed} passed, ${failures.length} failed`);
process.exitCode = failures.length > 0 ? 1 : 0;

function place(name) {
  const index = long.indexOf(name);
  return index < 0 ? long.length : index;
}

/** Runs a section. What it prints is shown when it is over, so that lines of two sections do not mix. */
async function check(name) {
  const started = Date.now();
  const log = `${root}.cache/ci/${name}.log`;
  const output = openSync(log, 'w');
  let failed;
  for (const command of checks[name]) {
    if (await runs(name, command, output)) continue;
    failed = command;
    break;
  }
  closeSync(output);
  if (failed === undefined) passed++;
  else failures.push(`${name}: ${failed.run ?? failed}`);
  console.log(`\n=== ${name}`);
  process.stdout.write(readFileSync(log));
  const seconds = Math.round((Date.now() - started) / 1000);
  console.log(`=== ${name} ${failed === undefined ? 'passed' : 'FAILED'} after ${seconds} s`);
}

async function runs(name, command, output) {
  const { run, vitest } = typeof command === 'string' ? { run: command, vitest: false } : command;
  const report = `.cache/ci/${name}.json`;
  rmSync(`${root}${report}`, { force: true });
  const separator = run.startsWith('npm ') ? ' --' : '';
  const line = vitest ? `${run}${separator} --reporter=default --reporter=json --outputFile.json=${report}` : run;
  // Debian's package manager lets one process in at a time.
  const locked = line.includes('apt-get') ? `exec 9> .cache/ci/apt.lock && flock 9 && ${line}` : line;
  const status = await new Promise(resolve => {
    const child = spawn('bash', ['-c', `echo ${quoted(`$ ${line}`)}; ${locked}`], {
      cwd: root,
      stdio: ['ignore', output, output],
    });
    child.on('error', () => resolve(1));
    child.on('close', resolve);
  });
  if (!vitest) return status === 0;
  return countTests(`${root}${report}`) && status === 0;
}

function quoted(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Adds a vitest run's tests to the tally; false if there were none. */
function countTests(report) {
  try {
    const { numPassedTests, testResults } = JSON.parse(readFileSync(report, 'utf8'));
    passed += numPassedTests;
    for (const file of testResults) {
      for (const test of file.assertionResults)
        if (test.status === 'failed') failures.push(`${file.name}: ${test.fullName}`);
    }
    return numPassedTests > 0;
  } catch (error) {
    failures.push(`no test report: ${error.message}`);
    return false;
  }
}
