/**
 * How long does one training step of the SmolLM2-135M shape take, and how much memory, at each drop rate?
 *
 *     npx tsx bench/step.bench.ts [--backend ort|wasm|cpu] [--method lora|full] [--time 512] [--batch 1]
 *       [--rates 0,0.5,0.875] [--sampling nested|pivotal|reference] [--rounds 3] [--steps 5] [--model folder]
 *
 * Every measurement is a process of its own; the rates take turns, so that a slow minute of the machine falls on all of
 * them. `nested` are drops by depth, the default of DropBP; `pivotal` and `reference` draws at uniform rates. A step of a run draws
 * the same in each round: its time is the median of the rounds, the time at a rate the mean of its steps. Without a model, weights
 * are random. Writes bench/results/step.<backend>.<method>.<batch>x<time>[.pivotal|.reference].json.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { machine } from './machine.ts';
import { measureOurs, prepareOurs } from './measureInProcess.ts';
import type { Measured } from './measureStep.ts';
import { median, round } from './median.ts';

const { values } = parseArgs({
  options: {
    backend: { type: 'string', default: 'ort' },
    method: { type: 'string', default: 'lora' },
    model: { type: 'string', default: '' },
    time: { type: 'string', default: '512' },
    batch: { type: 'string', default: '1' },
    rates: { type: 'string', default: '0,0.5,0.875' },
    sampling: { type: 'string', default: 'nested' },
    rounds: { type: 'string', default: '3' },
    steps: { type: 'string', default: '5' },
  },
});
const { backend, method, model, time, batch, steps, sampling } = values;
const rates = values.rates.split(',').map(Number);
const results = new Map(rates.map(rate => [rate, [] as Measured[]]));
const where = machine();
await prepareOurs();
for (let i = 0; i < Number(values.rounds); i++) {
  for (const rate of rates) {
    results.get(rate)!.push(measureOurs({ backend, method, model, time, batch, steps, sampling, rate }));
  }
}

/** How much more the backward pass of a branch costs than its forward pass. */
const backward = method === 'full' ? 2 : 1;
const table = rates.map(rate => {
  const all = results.get(rate)!;
  const seconds = all[0]!.seconds.map((_, step) => median(all.map(run => run.seconds[step]!)));
  return {
    rate,
    seconds: round(mean(seconds)),
    fastest: round(Math.min(...seconds)),
    slowest: round(Math.max(...seconds)),
    deviation: round(deviation(seconds)),
    peakMB: Math.round(median(all.map(run => run.peakMB))),
    droppedShare: round(median(all.map(run => run.droppedShare))),
    probeGflops: median(all.flatMap(run => run.probe)),
  };
});
const base = table[0]!;
const rows = table.map(row => ({
  ...row,
  timeRatio: round(row.seconds / base.seconds),
  memoryRatio: round(row.peakMB / base.peakMB),
  theory: round((1 + backward * (1 - row.droppedShare)) / (1 + backward)),
}));
console.table(rows);
const flags = Object.entries(values).filter(([, value]) => value !== '').map(([name, value]) => `--${name} ${value}`); // prettier-ignore
const command = `npx tsx bench/step.bench.ts ${flags.join(' ')}`;
const file = new URL(
  `results/step.${backend}.${method}.${batch}x${time}${sampling === 'nested' ? '' : `.${sampling}`}.json`,
  import.meta.url,
);
writeFileSync(file, `${JSON.stringify({ command, ...where, rows }, undefined, 2)}\n`);

function mean(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0) / numbers.length;
}

/** Standard deviation. */
function deviation(numbers: readonly number[]): number {
  const middle = mean(numbers);
  return Math.sqrt(mean(numbers.map(value => (value - middle) ** 2)));
}
