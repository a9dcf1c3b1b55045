/**
 * Makes every figure of bench/ and docs/results.md anew, one script after the other, and fills the tables.
 *
 *     npm run bench [-- --list] [-- --only step,convergence] [-- --from packed] [-- --authors <clone of WooSunghyeon/dropbp>]
 *
 * Takes about twelve hours on two cores; nothing else may run. What fails is named at the end, after all others. `--only` and
 * `--from` name commands by how they begin, as `--list` shows them. Needs the models and the Python environment of test/parity
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

const { values } = parseArgs({
  options: {
    list: { type: 'boolean', default: false },
    only: { type: 'string' },
    from: { type: 'string' },
    authors: { type: 'string' },
  },
});

const SMALL = '--model models/austen-base --time 256 --batch 2 --held-out 16';
const REAL = '--time 256 --evaluations 4 --held-out 16';

/** Scripts of this folder with their arguments, in order. */
// prettier-ignore
const commands: readonly string[] = [
  'compare.bench.ts',
  ...(values.authors === undefined ? [] : [`authors.bench.ts --authors ${values.authors}`]),
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
  ...convergence(`--name smollm2.lora ${REAL} --steps 120 --experiments rates,depth,reference,upper,shorter --learning-rates 1e-3,2e-3,4e-3`),
  ...convergence(`--name smollm2.lora.austen ${REAL} --data examples/data/austen.txt.gz --steps 120 --experiments short --learning-rates 1e-3,2e-3 --seeds 1`),
  ...convergence(`--name smollm2.full ${REAL} --steps 60 --method full --experiments short,longer-full --learning-rates 5e-5,1e-4,2e-4`),
  ...convergence(`--name austen.lora ${SMALL} --steps 150 --experiments rates,depth,reference,upper,shorter,longer,longer-depth,linear,allocations,rescaled,variations --learning-rates 3e-3,6e-3,1e-2`),
  ...convergence(`--name austen.lora.accumulation ${SMALL} --steps 60 --evaluations 4 --accumulation 4 --experiments short,longer-depth --learning-rates 1e-2,2e-2`),
  ...convergence(`--name austen.full ${SMALL} --steps 150 --method full --experiments short,longer-full,longer-late --learning-rates 1e-3,3e-3,6e-3`),
  ...convergence(`--name austen.full.accumulation ${SMALL} --steps 60 --evaluations 4 --accumulation 4 --method full --experiments short,longer-full --learning-rates 3e-3,6e-3`),
  ...convergence(`--name austen.full.long ${SMALL} --steps 1500 --method full --experiments short,longer-full --learning-rates 3e-3 --seeds 1`),
  ...convergence(`--name adapters ${SMALL} --steps 150 --experiments adapters --evaluations 2 --seeds 1 --learning-rates 1e-3,3e-3,1e-2,3e-2`),
  'fillTables.ts',
];

const wanted = chosen();
const failed: string[] = [];
for (const [i, command] of wanted.entries()) {
  console.log(`${i + 1} of ${wanted.length}: npx tsx bench/${command}`);
  if (values.list) continue;
  const [script, ...flags] = command.split(' ');
  const path = fileURLToPath(new URL(script!, import.meta.url));
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', path, ...flags], { stdio: 'inherit' });
  if (status !== 0) failed.push(command);
}
if (failed.length > 0) {
  console.error(`failed:\n${failed.join('\n')}`);
  process.exitCode = 1;
}

function chosen(): readonly string[] {
  const only = values.only?.split(',');
  const from = values.from === undefined ? 0 : commands.findIndex(command => command.startsWith(values.from!));
  const of = commands.slice(from === -1 ? Infinity : from);
  const wanted = of.filter(command => only?.some(name => command.startsWith(name)) ?? true);
  if (wanted.length === 0) throw new Error('no command begins like that: see --list');
  return wanted;
}
