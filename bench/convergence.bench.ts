/**
 * Does DropBP reach a held-out loss sooner than training without it, and than the simple alternatives that take as long?
 *
 *     npx tsx bench/convergence.bench.ts --experiments rates,rescaled [--model test/.models/smollm2-135m]
 *       [--data examples/data/kjv.txt.gz] [--method lora|full|…] [--seeds 1,2,3] [--learning-rates 1e-3,2e-3,4e-3] [--steps 100]
 *       [--batch 1] [--time 512] [--accumulation 1] [--rank 8] [--evaluations 5] [--held-out 12] [--name <results>]
 *       [--cases 'no drop;depth 0.5'] [--minutes 60] [--step-times] [--repeat 'no drop'] [--table]
 *
 * Every run is a process of its own. Each result is written when it is there, to bench/results/convergence.<name>.json, and a
 * run that has one is not made again: what was stopped goes on. The first seed of a case is trained at every learning rate, the
 * others at the best of them. A run that fails is named at the end, after all others. `--minutes` begins no further run after that time.
 *
 * Losses do not depend on what else the machine does, times do: `--step-times` measures the step of every case that has a run,
 * side by side, and the tables count with these; those of another commit or machine it forgets. `--repeat` makes the first run of
 * these cases once more, and fails where its loss is another. `--table` prints what is there.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { experiments, type Case, type CommonPlan } from './convergence/experiments.ts';
import { keyOf, type Results, type RunPlan, type RunResult } from './convergence/runPlan.ts';
import {
  adapterRows,
  bestLearningRate,
  bestRuns,
  caseRows,
  finalLoss,
  learningRateRows,
} from './convergence/tables.ts';
import { machine } from './machine.ts';
import { quoted } from './quoted.ts';
import type { Where } from './report/readResults.ts';

/** Steps of a run that measures a step's time: its sensitivities are measured at the second. */
const TIMED_STEPS = 16;
/** How far the losses of a run and of its repetition may lie apart: sums come in another order on another processor. */
const TOLERANCE = 0.02;
/** Options that say which part of a table is made, and not what it is. */
const PARTS = ['minutes', 'step-times', 'repeat', 'table'];

const { values, tokens } = parseArgs({
  tokens: true,
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
    repeat: { type: 'string' },
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
const here = machine();

if (values['step-times']) measureStepTimes();
else if (values.repeat !== undefined) repeatRuns(values.repeat.split(';'));
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

/** Every run that is missing, seed by seed. */
function makeRuns(): void {
  if (values.cases === undefined) keep(({ head }) => ({ head: { ...head, command: command() } }));
  for (const seed of seeds) {
    for (const one of cases()) {
      const isSearch = seed === firstSeed(one.name) && one.learningRateOf === undefined;
      const best = isSearch ? undefined : bestLearningRate(results, one.learningRateOf ?? one.name);
      for (const learningRate of best === undefined ? searched(one) : [best]) {
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
          keep(({ head, runs }) => ({
            head: { ...here, command: head.command || command() },
            runs: { ...runs, [keyOf(plan)]: result },
          }));
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

/** The time of a step of every case that has a run, of whatever number of steps. */
function measureStepTimes(): void {
  if (!isOfHere(results.timed)) results = { ...results, stepTimes: {} };
  const names = Object.values(results.runs).map(({ plan }) => plan.name);
  const hasRun = (name: string): boolean => names.some(own => own === name || own.startsWith(`${name} × `));
  const timed = cases().filter(({ name, stepsShare }) => stepsShare === undefined && hasRun(name));
  for (const one of timed.filter(({ name }) => !(name in results.stepTimes))) {
    if (performance.now() - startedMs > Number(values.minutes) * 60_000) return;
    const plan = {
      ...planOf(one, bestLearningRate(results, one.name) ?? searched(one)[0]!, 1),
      ...{ steps: TIMED_STEPS, evaluations: 1, heldOutRows: 2 },
    };
    attempt(`step of ${one.name}`, () => {
      const { stepMs, calibrationSteps, peakMB } = trainOnce(plan);
      console.log(`${one.name}: ${stepMs!.toFixed(1)} ms`);
      keep(({ timed, stepTimes }) => ({
        timed: here,
        stepTimes: {
          ...(isOfHere(timed) ? stepTimes : {}),
          [one.name]: { ms: stepMs!, calibrationSteps, peakMB },
        },
      }));
    });
  }
}

/** The run of the first seed of these cases, once more. */
function repeatRuns(names: readonly string[]): void {
  for (const name of names) {
    const run = bestRuns(results, name)?.[0];
    if (run === undefined) throw new Error(`${file} has no run of '${name}' that could be repeated`);
    const key = keyOf(run.plan);
    if (isOfHere(results.repeats[key])) continue;
    attempt(key, () => {
      const loss = finalLoss(trainOnce(run.plan));
      console.log(`${key}: ${finalLoss(run).toFixed(4)}, and now ${loss.toFixed(4)}`);
      keep(({ repeats }) => ({ repeats: { ...repeats, [key]: { ...here, loss } } }));
      if (!(Math.abs(loss - finalLoss(run)) <= TOLERANCE)) throw new Error('another loss than before');
    });
  }
}

function isOfHere(where: Where | undefined): boolean {
  return where?.commit === here.commit && where.cpu === here.cpu;
}

function trainOnce(plan: RunPlan): RunResult {
  const output = execFileSync(process.execPath, ['--import', 'tsx', path('convergence/trainOnce.ts')], {
    ...{ input: JSON.stringify(plan), encoding: 'utf8', maxBuffer: 2 ** 28 },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  return JSON.parse(output.trim().split('\n').at(-1)!) as RunResult;
}

function read(): Results {
  const nothing = { head: { command: '', date: '', commit: '', cpu: '' }, runs: {}, stepTimes: {}, repeats: {} };
  return existsSync(file) ? { ...nothing, ...(JSON.parse(readFileSync(file, 'utf8')) as Results) } : nothing;
}

/** Changes what the file holds by now: runs and times may be made side by side. A line for each run. */
function keep(change: (results: Results) => Partial<Results>): void {
  const old = read();
  results = { ...old, ...change(old) };
  const { head, timed, ...records } = results;
  const lines = Object.entries(records).map(([name, entries]) => {
    const own = Object.entries(entries).map(([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)}`);
    return ` ${JSON.stringify(name)}: {\n${own.join(',\n')}\n }`;
  });
  const heads = Object.entries({ head, timed }).flatMap(([name, value]) =>
    value === undefined ? [] : [` ${JSON.stringify(name)}: ${JSON.stringify(value)}`],
  );
  writeFileSync(`${file}.tmp`, `{\n${[...heads, ...lines].join(',\n')}\n}\n`);
  renameSync(`${file}.tmp`, file);
}

/** What makes the whole table. */
function command(): string {
  const words = tokens.flatMap(token => {
    if (token.kind !== 'option' || PARTS.includes(token.name)) return [];
    const { rawName, value } = token;
    return value === undefined ? [rawName] : [rawName, quoted(value)];
  });
  return ['npx tsx bench/convergence.bench.ts', ...words].join(' ');
}

/** A case that several experiments have is what the first of them says. */
function cases(): Case[] {
  const named = values.experiments.split(',').flatMap(experiment => {
    const make = experiments[experiment];
    if (make === undefined)
      throw new Error(`no experiment '${experiment}'; there are ${Object.keys(experiments).join(', ')}`);
    return make(layersOf(values.model));
  });
  const all = named.filter(({ name }, i) => named.findIndex(other => other.name === name) === i);
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

/** The learning rates of a case's search. */
function searched({ learningRates }: Case): readonly number[] {
  return learningRates ?? numbers(values['learning-rates']);
}

function numbers(list: string): number[] {
  return list.split(',').map(Number);
}
