/**
 * Does DropBP reach a held-out loss sooner than training without it, and than the simple alternatives that take as long?
 *
 *     npx tsx bench/convergence.bench.ts --experiments rates,rescaled [--model test/.models/smollm2-135m]
 *       [--data examples/data/kjv.txt.gz] [--method lora|full|…] [--seeds 1,2,3] [--learning-rates 1e-3,2e-3,4e-3] [--steps 100]
 *       [--batch 1] [--time 512] [--accumulation 1] [--rank 8] [--evaluations 5] [--held-out 12] [--name <results>]
 *       [--cases 'no drop;depth 0.5'] [--minutes 60] [--step-times] [--table]
 *
 * Every run is a process of its own. Each result is written when it is there, to bench/results/convergence.<name>.json, and a
 * run that has one is not made again: what was stopped goes on. The first seed of a case is trained at every learning rate, the
 * others at the best of them. A run that fails is named at the end, after all others. `--minutes` begins no further run after that time.
 *
 * Losses do not depend on what else the machine does, times do: `--step-times` measures the step of every case, alone and
 * side by side, and the tables count with these. `--table` prints what is there.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { experiments, type Case, type CommonPlan } from './convergence/experiments.ts';
import { keyOf, type Results, type RunPlan, type RunResult } from './convergence/runPlan.ts';
import { adapterRows, bestLearningRate, caseRows, learningRateRows } from './convergence/tables.ts';
import { machine } from './machine.ts';

/** Steps of a run that measures a step's time: its sensitivities are measured at the second. */
const TIMED_STEPS = 20;

const { values } = parseArgs({
  options: {
    experiments: { type: 'string', default: 'rates' },
    model: { type: 'string', default: 'test/.models/smollm2-135m' },
    data: { type: 'string', default: 'examples/data/kjv.txt.gz' },
    method: { type: 'string', default: 'lora' },
    rank: { type: 'string', default: '8' },
    seeds: { type: 'string', default: '1,2,3' },
    'learning-rates': { type: 'string', default: '1e-3,2e-3,4e-3' },
    steps: { type: 'string', default: '100' },
    batch: { type: 'string', default: '1' },
    time: { type: 'string', default: '512' },
    accumulation: { type: 'string', default: '1' },
    evaluations: { type: 'string', default: '5' },
    'held-out': { type: 'string', default: '12' },
    name: { type: 'string' },
    cases: { type: 'string' },
    minutes: { type: 'string', default: 'Infinity' },
    'step-times': { type: 'boolean', default: false },
    table: { type: 'boolean', default: false },
  },
});

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const name = values.name ?? `${values.method}.${values.experiments}`;
const file = path(`results/convergence.${name}.json`);
let results = read();
const seeds = numbers(values.seeds);
const failed: string[] = [];
const startedMs = performance.now();

if (values['step-times']) measureStepTimes();
else if (!values.table) makeRuns();
console.table(
  values.experiments === 'adapters'
    ? adapterRows(results).map(({ drops, ...row }) => ({
        ...row,
        ...Object.fromEntries(Object.entries(drops).map(([name, { loss }]) => [name, loss])),
      }))
    : caseRows(results),
);
console.table(learningRateRows(results));
if (failed.length > 0) {
  console.error(`failed, see above: ${failed.join('; ')}`);
  process.exitCode = 1;
}

/** Every run, seed by seed. */
function makeRuns(): void {
  for (const seed of seeds) {
    for (const one of cases()) {
      const isSearch = seed === firstSeed(one.name) && one.learningRateOf === undefined;
      const best = isSearch ? undefined : bestLearningRate(results, one.learningRateOf ?? one.name);
      for (const learningRate of best === undefined ? numbers(values['learning-rates']) : [best]) {
        const plan = planOf(one, learningRate, seed);
        const known = results.runs[keyOf(plan)];
        // A case by the same name that is another one would be passed off as this one.
        if (known !== undefined && JSON.stringify(known.plan) !== JSON.stringify(plan)) {
          throw new Error(`${file} holds another run as '${keyOf(plan)}': give another --name`);
        }
        if (known !== undefined) continue;
        if (performance.now() - startedMs > Number(values.minutes) * 60_000) return;
        console.log(keyOf(plan));
        attempt(keyOf(plan), () => {
          const result = { ...trainOnce(plan), stepMs: undefined };
          keep(({ runs }) => (runs[keyOf(plan)] = result));
        });
      }
    }
  }
}

/** The seed whose runs choose a case's learning rate: the smallest of those asked for and those that are there. */
function firstSeed(name: string): number {
  const known = Object.values(results.runs).filter(({ plan }) => plan.name === name);
  return Math.min(...seeds, ...known.map(({ plan }) => plan.seed));
}

/** Goes on where a run fails: a case may be refused, as where no branch could be dropped. */
function attempt(what: string, run: () => void): void {
  try {
    run();
  } catch (error) {
    failed.push(what);
    console.error(`${what}: ${(error as Error).message}`);
  }
}

/** The time of a step of every case, in two rounds. */
function measureStepTimes(): void {
  for (let round = 0; round < 2; round++) {
    for (const one of cases().filter(({ stepsShare }) => stepsShare === undefined)) {
      const known = results.stepTimes[one.name];
      if ((known?.ms.length ?? 0) > round) continue;
      if (performance.now() - startedMs > Number(values.minutes) * 60_000) return;
      const learningRate = bestLearningRate(results, one.name) ?? numbers(values['learning-rates'])[0]!;
      const plan = { ...planOf(one, learningRate, 1), steps: TIMED_STEPS, evaluations: 1, heldOutRows: 2 };
      attempt(`step of ${one.name}`, () => {
        const { stepMs, calibrationSteps, peakMB } = trainOnce(plan);
        console.log(`${one.name}: ${stepMs!.toFixed(1)} ms`);
        const times = { ms: [...(known?.ms ?? []), stepMs!], calibrationSteps, peakMB };
        keep(({ stepTimes }) => (stepTimes[one.name] = times));
      });
    }
  }
}

function trainOnce(plan: RunPlan): RunResult {
  const output = execFileSync(process.execPath, ['--import', 'tsx', path('convergence/trainOnce.ts')], {
    ...{ input: JSON.stringify(plan), encoding: 'utf8', maxBuffer: 2 ** 28 },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  return JSON.parse(output.trim().split('\n').at(-1)!) as RunResult;
}

function read(): Results {
  const nothing = { head: { command: '', date: '', commit: '', cpu: '' }, runs: {}, stepTimes: {} };
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Results) : nothing;
}

/** Adds to what the file holds by now: runs and times may be made side by side. A line for each run. */
function keep(add: (results: Results) => unknown): void {
  results = read();
  add(results);
  const words = process.argv.slice(2).map(word => (/^[\w.,/-]+$/.test(word) ? word : `'${word}'`));
  const head = { command: `npx tsx bench/convergence.bench.ts ${words.join(' ')}`, ...machine() };
  const lines = (entries: object): string =>
    `{\n${Object.entries(entries).map(([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)}`).join(',\n')}\n }`; // prettier-ignore
  const json = `{\n "head": ${JSON.stringify(head)},\n "stepTimes": ${lines(results.stepTimes)},\n "runs": ${lines(results.runs)}\n}\n`;
  writeFileSync(`${file}.tmp`, json);
  renameSync(`${file}.tmp`, file);
}

function cases(): Case[] {
  const all = values.experiments.split(',').flatMap(experiment => {
    const make = experiments[experiment];
    if (make === undefined)
      throw new Error(`no experiment '${experiment}'; there are ${Object.keys(experiments).join(', ')}`);
    return make(layersOf(values.model));
  });
  const wanted = values.cases?.split(';');
  const unknown = wanted?.find(one => !all.some(({ name }) => name === one));
  if (unknown !== undefined) throw new Error(`no case '${unknown}'; there are ${all.map(one => one.name).join(', ')}`);
  return wanted === undefined ? all : all.filter(({ name }) => wanted.includes(name));
}

function planOf(one: Case, learningRate: number, seed: number): RunPlan {
  const { name, method = values.method as RunPlan['method'], dropBP, layers, stepsShare = 1 } = one;
  const common: CommonPlan = {
    model: values.model,
    data: values.data,
    method,
    rank: Number(values.rank),
    steps: Number(values.steps),
    batch: Number(values.batch),
    time: Number(values.time),
    accumulation: Number(values.accumulation),
    evaluations: Number(values.evaluations),
    heldOutRows: Number(values['held-out']),
  };
  return {
    ...common,
    name,
    ...(dropBP && { dropBP }),
    ...(layers && { layers }),
    ...{ learningRate, seed, steps: Math.round(common.steps * stepsShare) },
  };
}

function layersOf(model: string): number {
  const config = JSON.parse(readFileSync(path(`../${model}/config.json`), 'utf8')) as Record<string, number>;
  return (config.num_hidden_layers ?? config.n_layer)!;
}

function numbers(list: string): number[] {
  return list.split(',').map(Number);
}
