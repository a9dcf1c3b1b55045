/**
 * What does a training step on two ranks of this machine take, how much of it is the reduction, and how many bytes go over it?
 *
 *     npx tsx bench/ranks.bench.ts [--method lora|full] [--time 256] [--batch 2] [--steps 4]
 *
 * The SmolLM2-135M shape, with and without DropBP: on one process with one thread, on one with two, and on two ranks with one
 * thread each, which share the batch. Writes bench/results/ranks.<method>.json. Needs Open MPI.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { machine } from './machine.ts';
import { median, round } from './median.ts';
import type { RanksMeasured } from './ranksStep.ts';

const { values } = parseArgs({
  options: {
    method: { type: 'string', default: 'lora' },
    time: { type: 'string', default: '256' },
    batch: { type: 'string', default: '2' },
    steps: { type: 'string', default: '4' },
  },
});
const mpirun = 'mpirun --allow-run-as-root --oversubscribe --bind-to none --mca pml ob1 --mca btl self,sm -n 2'.split(
  ' ',
);

function measure(rate: number, ranks: number, threads: number): RanksMeasured {
  const options = Object.entries({ ...values, rate: String(rate) }).flatMap(([name, value]) => [`--${name}`, value]);
  const step = fileURLToPath(new URL('ranksStep.ts', import.meta.url));
  const line = [...(ranks > 1 ? mpirun : []), process.execPath, '--import', 'tsx', step, ...options];
  const { stdout, stderr, status } = spawnSync(line[0]!, line.slice(1), {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: { ...process.env, DROPBP_THREADS: String(threads) },
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout.split('\n').find(text => text.startsWith('{'))!) as RanksMeasured;
}

const where = machine();
const rows = [0, 0.5].flatMap(rate =>
  [
    { ranks: 1, threads: 1 },
    { ranks: 1, threads: 2 },
    { ranks: 2, threads: 1 },
  ].map(({ ranks, threads }) => {
    const found = measure(rate, ranks, threads);
    const stepSeconds = median(found.seconds);
    const mean = (of: readonly number[]): number => of.reduce((sum, value) => sum + value, 0) / of.length;
    return {
      ...{ rate, ranks, threads, trainedParameters: found.trainedParameters },
      stepSeconds: round(stepSeconds),
      dropped: round(mean(found.dropped)),
      reducedBytes: Math.round(mean(found.reducedBytes)),
      commPercent: round(median(found.commMs) / 10 / stepSeconds),
      bareReductionMs: round(found.bareReductionMs),
      barePercent: round(found.bareReductionMs / 10 / stepSeconds),
      measured: found,
    };
  }),
);
console.table(rows.map(({ measured, ...shown }) => ({ ...shown, steps: measured.seconds.length })));
const command = `npx tsx bench/ranks.bench.ts --method ${values.method} --time ${values.time} --batch ${values.batch} --steps ${values.steps}`;
writeFileSync(
  new URL(`results/ranks.${values.method}.json`, import.meta.url),
  `${JSON.stringify({ command, ...where, rows }, undefined, 2)}\n`,
);
