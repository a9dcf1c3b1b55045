/**
 * What is a step worth whose prompts run forward only? Held-out loss, right answers, r and s, beside whole steps and beside other
 * ways of dropping.
 *
 *     npx tsx bench/answersOnly.bench.ts [--tasks bible,records,backwards,half,chats] [--models base,smollm2] [--methods lora,full]
 *       [--cases 'no drop;answers only'] [--seeds 1,2,3] [--learning-rates 1e-3,2e-3] [--steps 120] [--held-out 64] [--minutes 60]
 *       [--suffix smoke] [--times] [--table]
 *
 * Tasks, cases, learning rates and seeds are those of convergence/answersOnly.ts, unless the command line says otherwise. Every run
 * is a process of its own, and each result is written when it is there, to bench/results/answersOnly.<task>.<model>.<method>.json: what
 * was stopped goes on. `--times` measures the step of every case that has a run, one after the other; nothing else should run then.
 * `--minutes` begins no further run after that time, `--table` prints what is there. ρ is measured by the case 'auto'.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  promptCases,
  promptLearningRates,
  promptModels,
  promptPlan,
  promptSeeds,
  promptTasks,
  type PromptModel,
  type PromptTask,
} from './convergence/answersOnly.ts';
import type { Case } from './convergence/experiments.ts';
import { planOfCase } from './convergence/experiments.ts';
import { promptRows } from './convergence/promptRows.ts';
import type { MethodName } from './convergence/runPlan.ts';
import { openSeries, type Series } from './convergence/series.ts';
import { namesOf, numbersOf, readArguments } from './readArguments.ts';

const { values, command } = readArguments(
  'answersOnly.bench.ts',
  {
    ...{ tasks: promptTasks.join(','), models: Object.keys(promptModels).join(','), methods: 'lora,full' },
    ...{ cases: '', seeds: '', 'learning-rates': '', steps: '', 'held-out': '' },
    ...{ minutes: 'Infinity', suffix: '', times: false, table: false },
  },
  ['tasks', 'models', 'methods', 'minutes', 'times', 'table'],
);
const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const failed: string[] = [];

for (const task of namesOf(values.tasks, promptTasks)) {
  for (const model of namesOf(values.models, Object.keys(promptModels) as PromptModel[])) {
    for (const method of namesOf(values.methods, ['lora', 'full'] as const)) {
      const name = [task, model, method, ...(values.suffix === '' ? [] : [values.suffix])].join('.');
      console.log(`\n${name}`);
      const series = seriesOf(task, model, method, name);
      if (values.times) series.measureStepTimes();
      else if (!values.table) series.makeRuns();
      console.table(promptRows(series.results));
      failed.push(...series.failed.map(one => `${name}: ${one}`));
    }
  }
}
if (failed.length > 0) {
  console.error(`failed, see above: ${failed.join('; ')}`);
  process.exitCode = 1;
}

function seriesOf(task: PromptTask, model: PromptModel, method: MethodName, name: string): Series {
  const plan = promptPlan(task, model, method);
  const common = {
    ...plan,
    ...(values.steps !== '' && { steps: Number(values.steps) }),
    ...(values['held-out'] !== '' && { heldOutRows: Number(values['held-out']) }),
  };
  const all = promptCases(task, model, method, layersOf(plan.model));
  return openSeries({
    file: path(`results/answersOnly.${name}.json`),
    cases: casesOf(all),
    seeds: values.seeds === '' ? promptSeeds(task) : numbersOf(values.seeds),
    learningRates:
      values['learning-rates'] === '' ? promptLearningRates(model, method) : numbersOf(values['learning-rates']),
    planOf: (one, learningRate, seed) => planOfCase(common, one, learningRate, seed),
    command: values.cases === '' ? `${command} --tasks ${task} --models ${model} --methods ${method}` : undefined,
    untilMs: Number(values.minutes) * 60_000,
  });
}

/** The cases that were named, or all; not every task has each. */
function casesOf(all: readonly Case[]): readonly Case[] {
  if (values.cases === '') return all;
  const wanted = values.cases.split(';');
  return all.filter(({ name }) => wanted.includes(name));
}

function layersOf(model: string): number {
  const config = JSON.parse(readFileSync(path(`../${model}/config.json`), 'utf8')) as Record<string, number>;
  return config.num_hidden_layers!;
}
