/**
 * Makes every figure of bench/ and of the documents anew, one script after the other, and fills the tables.
 *
 *     npm run bench [-- --list] [-- --minutes 0] [-- --only step,convergence] [-- --from packed]
 *       [-- --authors <clone of WooSunghyeon/dropbp>]
 *
 * Nothing else may run. What fails is named at the end, after all others. `--only` and `--from` name commands by how they begin, as
 * `--list` shows them. Needs the models and the Python environment of test/parity (`bash test/parity/make.sh`); browser.bench.ts the
 * built packages (`node scripts/build.mjs`) and Debian's chromium, ranks.bench.ts Open MPI, tfjsNode.bench.ts `node test/tfjs-node/build.mjs`.
 *
 * All times and all memory are measured anew, in some three hours on two cores, half of which go into the longest sequences
 * (growth.bench.ts, which `--only` can leave out). Losses do not depend on a machine's speed, and some
 * hundred runs take a night: those that bench/results has are kept. Of each table the missing ones are made, for `--minutes` a table
 * at most (0: none, and what packing does to losses is left as it is), and the first seeds of some cases are made once more, to see
 * that this code comes to the same loss. To make all of them anew, remove bench/results/convergence.*.json.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { quoted } from './quoted.ts';

const { values } = parseArgs({
  options: {
    list: { type: 'boolean', default: false },
    only: { type: 'string' },
    from: { type: 'string' },
    authors: { type: 'string' },
    minutes: { type: 'string', default: 'Infinity' },
  },
});

const SMOLLM2 = 'test/.models/smollm2-135m';
const SMALL = '--model models/austen-base --time 256 --batch 2 --held-out 16';
const REAL = `--model ${SMOLLM2} --time 256 --batch 1 --evaluations 4 --held-out 16`;
const RATES = '0,0.5,0.75,0.875';

/**
 * A table of losses: the runs that are missing, step times, and cases whose first run is made once more.
 *
 * @param repeat - these cases, as `--cases` names them
 * @param timed - the experiments whose steps are timed. @defaultValue all
 */
const convergence = (options: string, { repeat, timed }: { repeat?: string; timed?: string }): string[][] =>
  [
    ['--minutes', values.minutes],
    ['--step-times', ...(timed === undefined ? [] : ['--experiments', timed])],
    ...(repeat === undefined ? [] : [['--repeat', repeat]]),
  ].map(part => [...words(`convergence.bench.ts ${options}`), ...part]);

/** Scripts of this folder with their arguments, in order. */
// prettier-ignore
const commands: readonly (readonly string[])[] = [
  words('compare.bench.ts --rounds 2 --steps 8 --tokens 48'),
  ...(values.authors === undefined ? [] : [['authors.bench.ts', '--authors', values.authors]]),
  ...['lora', 'full'].map(method => words(`step.bench.ts --method ${method} --rates ${RATES} --rounds 1 --steps 15`)),
  ...['lora', 'full'].map(method => words(`step.bench.ts --method ${method} --time 2048 --rates ${RATES} --rounds 1 --steps 8`)),
  ...['pivotal', 'reference'].map(draw => words(`step.bench.ts --rates ${RATES} --sampling ${draw} --rounds 1 --steps 15`)),
  words(`growth.bench.ts --times 512,2048,4096 --rates ${RATES} --steps 1`),
  words(`growth.bench.ts --times 512,1024,2048 --rates ${RATES} --steps 1 --memory 2048`),
  words(`growth.bench.ts --times 512,1024,2048 --rates ${RATES} --steps 1 --memory 2048 --checkpointing`),
  words('plan.bench.ts'),
  words(`sensitivities.bench.ts --model ${SMOLLM2} --time 128,512 --method lora --passes`),
  words('runs.bench.ts'),
  words('export.bench.ts'),
  words('browser.bench.ts --backends ort-wasm,tfjs-wasm'),
  words('packed.bench.ts --only steps,generation,length --rounds 1'),
  ...(values.minutes === '0' ? [] : [words('packed.bench.ts --only quality,training')]),
  ...['lora', 'full'].map(method => words(`ranks.bench.ts --method ${method}`)),
  words('tfjsNode.bench.ts --rounds 1'),
  ...convergence(`--name smollm2.full ${REAL} --steps 60 --method full --experiments short,depth,longer-full,allocations-full --learning-rates 5e-5,1e-4,2e-4`, { repeat: 'no drop × 0.7 steps' }),
  ...convergence(`--name smollm2.lora ${REAL} --steps 120 --experiments rates,depth,reference,upper,shorter,rescaled,allocations --learning-rates 1e-3,2e-3,4e-3`, { repeat: 'depth 0.5', timed: 'rates,depth,reference,upper' }),
  ...convergence(`--name smollm2.lora.austen ${REAL} --data examples/data/austen.txt.gz --steps 120 --experiments short --learning-rates 1e-3,2e-3`, {}),
  ...convergence(`--name austen.full ${SMALL} --steps 150 --method full --experiments short,depth,longer-full,longer-late,depth-variations,allocations-full --learning-rates 1e-3,3e-3,6e-3`, { repeat: 'no drop;depth 0.5', timed: 'short,depth,longer-late' }),
  ...convergence(`--name austen.full.accumulation ${SMALL} --steps 60 --evaluations 4 --accumulation 4 --method full --experiments short,longer-full --learning-rates 3e-3,6e-3,1e-2`, { repeat: 'depth 0.5' }),
  ...convergence(`--name austen.full.long ${SMALL} --steps 1500 --method full --experiments short,longer-full --learning-rates 3e-3`, {}),
  ...convergence(`--name austen.lora ${SMALL} --steps 150 --experiments rates,depth,reference,upper,shorter,longer,longer-depth,linear,allocations,rescaled,variations,depth-variations --learning-rates 3e-3,6e-3,1e-2`, { repeat: 'no drop;depth 0.5', timed: 'rates,depth,reference,upper' }),
  ...convergence(`--name austen.lora.accumulation ${SMALL} --steps 60 --evaluations 4 --accumulation 4 --experiments short,longer-depth --learning-rates 1e-2,2e-2`, { repeat: 'depth 0.5' }),
  ...convergence(`--name adapters ${SMALL} --steps 150 --experiments adapters --evaluations 2 --learning-rates 1e-3,3e-3,1e-2,3e-2`, { repeat: 'prompt tuning;full' }),
  words('fillTables.ts'),
];

const wanted = chosen();
const failed: string[] = [];
for (const [i, command] of wanted.entries()) {
  console.log(`${i + 1} of ${wanted.length}: npx tsx bench/${shown(command)}`);
  if (values.list) continue;
  const [script, ...flags] = command;
  const path = fileURLToPath(new URL(script!, import.meta.url));
  const startedMs = performance.now();
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', path, ...flags], { stdio: 'inherit' });
  console.log(`took ${((performance.now() - startedMs) / 60_000).toFixed(1)} minutes`);
  if (status !== 0) failed.push(shown(command));
}
if (failed.length > 0) {
  console.error(`failed:\n${failed.join('\n')}`);
  process.exitCode = 1;
}

function chosen(): readonly (readonly string[])[] {
  const only = values.only?.split(',');
  const begins = (name: string) => (command: readonly string[]) => shown(command).startsWith(name);
  const from = values.from === undefined ? 0 : commands.findIndex(begins(values.from));
  const of = commands.slice(from === -1 ? Infinity : from);
  const wanted = of.filter(command => only?.some(name => begins(name)(command)) ?? true);
  if (wanted.length === 0) throw new Error('no command begins like that: see --list');
  return wanted;
}

function words(line: string): string[] {
  return line.split(' ');
}

function shown(command: readonly string[]): string {
  return command.map(quoted).join(' ');
}
