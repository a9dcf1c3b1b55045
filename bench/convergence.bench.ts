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
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { experiments, planOfCase, type Case, type CommonPlan } from './convergence/experiments.ts';
import type { RunPlan } from './convergence/runPlan.ts';
import { openSeries } from './convergence/series.ts';
import { adapterRows, caseRows, learningRateRows } from './convergence/tables.ts';
import { numbersOf, readArguments } from './readArguments.ts';

const { values, command } = readArguments(
  'convergence.bench.ts',
  {
    experiments: 'rates',
    model: 'test/.models/smollm2-135m',
    data: 'examples/data/kjv.txt.gz',
    method: 'lora',
    rank: '8',
    seeds: '1,2,3',
    'learning-rates': '1e-3,2e-3,4e-3',
    steps: '100',
    batch: '1',
    time: '512',
    accumulation: '1',
    evaluations: '5',
    'held-out': '12',
    name: '',
    cases: '',
    minutes: 'Infinity',
    'step-times': false,
    repeat: '',
    table: false,
  },
  ['minutes', 'step-times', 'repeat', 'table'],
);

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const series = openSeries({
  file: path(`results/convergence.${values.name || `${values.method}.${values.experiments}`}.json`),
  cases: cases(),
  seeds: numbersOf(values.seeds),
  learningRates: numbersOf(values['learning-rates']),
  planOf,
  command: values.cases === '' ? command : undefined,
  untilMs: Number(values.minutes) * 60_000,
});

if (values['step-times']) series.measureStepTimes();
else if (values.repeat !== '') series.repeatRuns(values.repeat.split(';'));
else if (!values.table) series.makeRuns();
const { results, failed } = series;
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

/** A case that several experiments have is what the first of them says. */
function cases(): Case[] {
  const named = values.experiments.split(',').flatMap(experiment => {
    const make = experiments[experiment];
    if (make === undefined)
      throw new Error(`no experiment '${experiment}'; there are ${Object.keys(experiments).join(', ')}`);
    return make(layersOf(values.model));
  });
  const all = named.filter(({ name }, i) => named.findIndex(other => other.name === name) === i);
  const wanted = values.cases === '' ? undefined : values.cases.split(';');
  const unknown = wanted?.find(one => !all.some(({ name }) => name === one));
  if (unknown !== undefined) throw new Error(`no case '${unknown}'; there are ${all.map(one => one.name).join(', ')}`);
  return wanted === undefined ? all : all.filter(({ name }) => wanted.includes(name));
}

function planOf(one: Case, learningRate: number, seed: number): RunPlan {
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
  return planOfCase(common, one, learningRate, seed);
}

function layersOf(model: string): number {
  const config = JSON.parse(readFileSync(path(`../${model}/config.json`), 'utf8')) as Record<string, number>;
  return (config.num_hidden_layers ?? config.n_layer)!;
}
