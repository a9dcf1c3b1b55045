/**
 * How do the time and the memory of a step grow with the sequence, and how long a sequence fits into a given memory?
 *
 *     npx tsx bench/growth.bench.ts [--method lora] [--times 128,256,512,1024,2048,4096] [--rates 0,0.5,0.875]
 *       [--batch 1] [--steps 2] [--memory 4096] [--checkpointing] [--only times,lengths]
 *
 * The SmolLM2-135M shape with random weights, uniform rates and even draws, so that each step keeps as much. Every measurement is a
 * process of its own. The longest sequence is one that was measured to fit into the memory (in MiB). Each part is kept in
 * bench/results/growth.<method>.json until it is measured again, with batch, memory and checkpointing in the name where they are not
 * what they are by default; `lengths` starts from the peaks of `times`, and does not depend on what else the machine does.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { longestSequence } from './longestSequence.ts';
import { machine } from './machine.ts';
import { measureOurs, prepareOurs, type Flags } from './measureInProcess.ts';
import { median, round } from './median.ts';
import { namesOf } from './readArguments.ts';

const { values } = parseArgs({
  options: {
    method: { type: 'string', default: 'lora' },
    times: { type: 'string', default: '128,256,512,1024,2048,4096' },
    rates: { type: 'string', default: '0,0.5,0.875' },
    batch: { type: 'string', default: '1' },
    steps: { type: 'string', default: '2' },
    memory: { type: 'string', default: '4096' },
    checkpointing: { type: 'boolean', default: false },
    only: { type: 'string', default: 'times,lengths' },
  },
});
const { only, ...shape } = values;
const times = values.times.split(',').map(Number);
const limit = Number(values.memory);
const { method, batch, steps } = values;
const wanted = namesOf(only, ['times', 'lengths']);
const where = machine();
await prepareOurs();

interface Row {
  readonly rate: number;
  readonly time: number;
  readonly seconds: number;
  readonly peakMB: number;
}

interface Longest extends Row {
  readonly ratio: number;
}

interface Results extends ReturnType<typeof machine> {
  readonly command: string;
  readonly rows: readonly Row[];
  readonly longest: readonly Longest[];
  /** Where and when the longest sequences were looked for. */
  readonly lengths: ReturnType<typeof machine>;
}

function measured(rate: number, time: number): Row {
  const flags: Flags = {
    method,
    batch,
    steps,
    rate,
    time,
    sampling: 'pivotal',
    checkpointing: String(values.checkpointing),
  };
  const { seconds, peakMB } = measureOurs(flags);
  const row = { rate, time, seconds: round(median([...seconds])), peakMB: Math.round(peakMB) };
  console.log(row);
  return row;
}

const ofMemory = limit === 4096 ? '' : `.${limit}`;
const suffix = `${batch === '1' ? '' : `.${batch}`}${ofMemory}${values.checkpointing ? '.checkpointing' : ''}`;
const file = new URL(`results/growth.${method}${suffix}.json`, import.meta.url);
const command = `npx tsx bench/growth.bench.ts ${Object.entries(shape).map(([name, value]) => (typeof value === 'boolean' ? (value ? `--${name}` : '') : `--${name} ${value}`)).filter(Boolean).join(' ')}`; // prettier-ignore
const rates = values.rates.split(',').map(Number);
const parts: Readonly<Record<(typeof wanted)[number], (known: Results) => Partial<Results>>> = {
  times: () => ({ command, ...where, rows: rates.flatMap(rate => times.map(time => measured(rate, time))) }),
  lengths: ({ rows }) => ({ longest: longestSequences(rows), lengths: where }),
};

let results = (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}) as Results;
for (const name of wanted) {
  results = { ...results, ...parts[name](results) };
  writeFileSync(file, `${JSON.stringify(results, undefined, 2)}\n`);
}
console.table(results.rows);
console.table(results.longest);

function longestSequences(rows: readonly Row[]): Longest[] {
  const fitting = rates.map(rate => {
    const [a, b] = rows.filter(row => row.rate === rate).slice(-2) as [Row, Row];
    return longestSequence(a, b, time => measured(rate, time), limit, 128);
  });
  return fitting.map(row => ({ ...row, ratio: round(row.time / fitting[0]!.time) }));
}
