/**
 * Trains for many steps and looks whether memory grows in the second half of them. In the first, all lengths of batches come
 * up, code is compiled, and the allocator finds its size.
 *
 *     npx tsx --tsconfig tsconfig.built.json test/reliability/soak.ts [--steps 4000]
 *
 * Needs the built packages: npm start makes them.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ended, startTraining, writeTinyRun } from './tinyRun.ts';

const { values } = parseArgs({
  options: { steps: { type: 'string', default: '4000' }, out: { type: 'string', default: 'out/reliability/soak' } },
});
/** Of what is held when everything has run once: what goes up and down. */
const allowedGrowth = 0.03;
/** Little room for what the collector has not come to yet, so that the process shows what is held, or ends where that grows. */
const nodeFlags = ['--max-old-space-size=96', '--max-semi-space-size=2'];

rmSync(values.out, { recursive: true, force: true });
mkdirSync(values.out, { recursive: true });
const { model, data } = await writeTinyRun(join(values.out, 'given'));
const run = join(values.out, 'run');
const { code, notes } = await ended(
  startTraining(
    [
      ...['--model', model, '--data', data, '--out', run, '--steps', values.steps, '--batch', '4', '--dropout', '0.1'],
      ...[
        '--evaluations',
        '20',
        '--save-every',
        '50',
        '--sample-tokens',
        '4',
        '--learning-rate',
        '0.001',
        '--rate',
        '0.5',
      ],
    ],
    nodeFlags,
  ),
);
if (code !== 0) throw new Error(notes);

const { steps } = JSON.parse(readFileSync(join(run, 'run.json'), 'utf8')) as { steps: { memoryBytes: number }[] };
const tenths = Array.from({ length: 10 }, (_, i) => {
  const part = steps.slice((i * steps.length) / 10, ((i + 1) * steps.length) / 10).map(step => step.memoryBytes);
  return median(part) / 2 ** 20;
});
console.log(`memory of the process, median of each tenth of ${steps.length} steps, in MiB:`);
console.log(tenths.map(value => value.toFixed(0)).join(' '));
const growth = tenths[9]! / tenths[4]! - 1;
console.log(`from the fifth to the last tenth: ${(100 * growth).toFixed(1)} %`);
process.exitCode = growth > allowedGrowth ? 1 : 0;

function median(numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
}
