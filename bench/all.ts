/**
 * Makes every figure of bench/ and docs/results.md anew, one script after the other, and fills the tables.
 *
 *     npm run bench [-- --list] [-- --only step,convergence]
 *
 * Takes about six hours on two cores; nothing else may run. Needs the models and the Python environment of test/parity
 * (`bash test/parity/make.sh`); browser.bench.ts the built packages (`npx pnpm run build`) and Debian's chromium.
 * convergence.bench.ts goes on from the runs that its files hold: remove those files first to make them anew.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const SMOLLM2 = 'test/.models/smollm2-135m';
const convergence = (options: string): string[] => [
  `convergence.bench.ts ${options}`,
  `convergence.bench.ts ${options} --step-times`,
];

/** Scripts of this folder with their arguments, in order. */
const commands: readonly string[] = [
  'compare.bench.ts',
  ...[512, 2048].flatMap(time =>
    ['lora', 'full'].map(
      method =>
        `step.bench.ts --method ${method} --time ${time} --rates 0,0.5,0.75,0.875${time === 512 ? ' --steps 15' : ''}`,
    ),
  ),
  ...['pivotal', 'reference'].map(draw => `step.bench.ts --rates 0,0.5,0.75,0.875 --sampling ${draw} --steps 15`),
  'growth.bench.ts --times 128,512,2048,4096 --rates 0,0.5,0.75,0.875 --steps 1',
  `sensitivities.bench.ts --model ${SMOLLM2} --time 128,512 --method lora --passes`,
  'runs.bench.ts',
  'browser.bench.ts',
  'packed.bench.ts',
  ...convergence('--experiments rates,depth,reference,upper,shorter,longer,linear --name smollm2.lora --time 256 --steps 120 --evaluations 4 --held-out 16'), // prettier-ignore
  ...convergence('--experiments rates,depth,reference,upper,shorter,longer,linear,allocations,rescaled,variations --name austen.lora --model models/austen-base --time 256 --batch 2 --steps 150 --held-out 16 --learning-rates 3e-3,6e-3,1e-2'), // prettier-ignore
  ...convergence('--experiments adapters --name adapters --model models/austen-base --time 256 --batch 2 --steps 150 --evaluations 2 --held-out 16 --seeds 1 --learning-rates 1e-3,3e-3,1e-2,3e-2'), // prettier-ignore
  'fillTables.ts',
];

const { values } = parseArgs({ options: { list: { type: 'boolean', default: false }, only: { type: 'string' } } });
const only = values.only?.split(',');
const wanted = commands.filter(command => only?.some(name => command.startsWith(name)) ?? true);
for (const [i, command] of wanted.entries()) {
  console.log(`${i + 1} of ${wanted.length}: npx tsx bench/${command}`);
  if (values.list) continue;
  const [script, ...flags] = command.split(' ');
  const path = fileURLToPath(new URL(script!, import.meta.url));
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', path, ...flags], { stdio: 'inherit' });
  if (status !== 0) process.exit(1);
}
