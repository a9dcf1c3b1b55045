/**
 * Does DropBP reach a held-out loss sooner than training without it, and than the simple alternatives that take as long?
 *
 *     npx tsx bench/convergence.bench.ts --experiment rates [--model test/.models/smollm2-135m] [--data examples/data/kjv.txt.gz]
 *       [--method lora|full|…] [--seeds 1,2,3] [--learning-rates 1e-4,3e-4,1e-3] [--steps 200] [--batch 1] [--time 512]
 *       [--accumulation 1] [--rank 8] [--evaluations 10] [--held-out 32] [--name <results>] [--minutes 60] [--table]
 *
 * Every run is a process of its own. Each result is written when it is there, to bench/results/convergence.<name>.json, and a
 * run that has one is not made again: what was stopped goes on, and more seeds or learning rates are added. Runs come seed by
 * seed, so that what is there can be compared at any time; `--minutes` begins no further run after that time, `--table` prints
 * what is there. Times mean something where nothing else runs.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { experiments, type CommonPlan } from './convergence/experiments.ts';
import { keyOf, type RunPlan, type RunResult } from './convergence/runPlan.ts';
import { adapterRows, caseRows, learningRateRows } from './convergence/tables.ts';
import { machine } from './machine.ts';

const { values } = parseArgs({
  options: {
    experiment: { type: 'string', default: 'rates' },
    model: { type: 'string', default: 'test/.models/smollm2-135m' },
    data: { type: 'string', default: 'examples/data/kjv.txt.gz' },
    method: { type: 'string', default: 'lora' },
    rank: { type: 'string', default: '8' },
    seeds: { type: 'string', default: '1,2,3' },
    'learning-rates': { type: 'string', default: '1e-4,3e-4,1e-3' },
    steps: { type: 'string', default: '200' },
    batch: { type: 'string', default: '1' },
    time: { type: 'string', default: '512' },
    accumulation: { type: 'string', default: '1' },
    evaluations: { type: 'string', default: '10' },
    'held-out': { type: 'string', default: '32' },
    name: { type: 'string' },
    minutes: { type: 'string', default: 'Infinity' },
    table: { type: 'boolean', default: false },
  },
});

interface Results {
  readonly command: string;
  readonly runs: Record<string, RunResult>;
}

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const name = values.name ?? `${values.experiment}.${values.method}`;
const file = path(`results/convergence.${name}.json`);
const results: Results = existsSync(file)
  ? (JSON.parse(readFileSync(file, 'utf8')) as Results)
  : { command: '', runs: {} };

if (!values.table) makeRuns();
const made = Object.values(results.runs);
console.table(values.experiment === 'adapters' ? adapterRows(made) : caseRows(made));
console.table(learningRateRows(made));

function makeRuns(): void {
  const startedMs = performance.now();
  const flags = Object.entries(values).map(([flag, value]) => `--${flag} ${value}`);
  const head = { command: `npx tsx bench/convergence.bench.ts ${flags.join(' ')}`, ...machine() };
  const plans = plansOf();
  for (const [i, plan] of plans.entries()) {
    const known = results.runs[keyOf(plan)];
    if (known !== undefined) {
      // A case by the same name that is another one would be passed off as this one.
      if (JSON.stringify(known.plan) !== JSON.stringify(plan)) {
        throw new Error(`${file} holds another run as '${keyOf(plan)}': give another --name`);
      }
      continue;
    }
    if (performance.now() - startedMs > Number(values.minutes) * 60_000) return;
    console.log(`${i + 1} of ${plans.length}: ${keyOf(plan)}`);
    const output = execFileSync(process.execPath, ['--import', 'tsx', path('convergence/trainOnce.ts')], {
      ...{ input: JSON.stringify(plan), encoding: 'utf8', maxBuffer: 2 ** 28 },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    results.runs[keyOf(plan)] = JSON.parse(output.trim().split('\n').at(-1)!) as RunResult;
    writeFileSync(`${file}.tmp`, `${JSON.stringify({ ...head, runs: results.runs }, undefined, 1)}\n`);
    renameSync(`${file}.tmp`, file);
  }
}

/** Every run, seed by seed. */
function plansOf(): RunPlan[] {
  const cases = experiments[values.experiment];
  if (cases === undefined)
    throw new Error(`there is no such experiment; there are ${Object.keys(experiments).join(', ')}`);
  const numbers = (list: string): number[] => list.split(',').map(Number);
  const common: CommonPlan = {
    model: values.model,
    data: values.data,
    method: values.method as RunPlan['method'],
    rank: Number(values.rank),
    steps: Number(values.steps),
    batch: Number(values.batch),
    time: Number(values.time),
    accumulation: Number(values.accumulation),
    evaluations: Number(values.evaluations),
    heldOutRows: Number(values['held-out']),
  };
  return numbers(values.seeds).flatMap(seed =>
    cases(layersOf(values.model)).flatMap(({ stepsShare = 1, ...own }) =>
      numbers(values['learning-rates']).map(learningRate => ({
        ...{ ...common, ...own, learningRate, seed },
        steps: Math.round(common.steps * stepsShare),
      })),
    ),
  );
}

function layersOf(model: string): number {
  const config = JSON.parse(readFileSync(path(`../${model}/config.json`), 'utf8')) as Record<string, number>;
  return (config.num_hidden_layers ?? config.n_layer)!;
}
