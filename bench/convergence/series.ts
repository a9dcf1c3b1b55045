import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { machine } from '../machine.ts';
import type { Where } from '../report/readResults.ts';
import type { Case } from './experiments.ts';
import { openResults } from './resultsFile.ts';
import { keyOf, type Results, type RunPlan, type RunResult } from './runPlan.ts';
import { bestLearningRate, bestRuns, finalLoss } from './tables.ts';

/** Steps of a run that measures a step's time: its sensitivities are measured at the second. */
const TIMED_STEPS = 16;
/** How far the losses of a run and of its repetition may lie apart: sums come in another order on another processor. */
const TOLERANCE = 0.02;

/** What {@link openSeries} takes. */
export interface SeriesOptions {
  /** Where the results lie. */
  readonly file: string;
  readonly cases: readonly Case[];
  readonly seeds: readonly number[];
  /** Of the search of a case that names none. */
  readonly learningRates: readonly number[];
  readonly planOf: (one: Case, learningRate: number, seed: number) => RunPlan;
  /** The command that makes the whole series; undefined where this call makes a part of it. */
  readonly command?: string | undefined;
  /** No run begins after this, by `performance.now()`. @defaultValue no end */
  readonly untilMs?: number;
}

/** Runs of one table, each a process of its own, whose results are kept one by one: a series that was stopped goes on. */
export interface Series {
  readonly results: Results;
  /** What failed so far: a case may be refused, as where no branch could be dropped. */
  readonly failed: readonly string[];
  /**
   * Makes every run that is missing, seed by seed: the first seed of a case at every learning rate, the others at the best of
   * them.
   */
  makeRuns(): void;
  /** Measures the time of a step of every case that has a run; times of another commit or machine it forgets. */
  measureStepTimes(): void;
  /** Makes the first run of these cases once more. One with another loss counts as failed. */
  repeatRuns(names: readonly string[]): void;
}

export function openSeries(options: SeriesOptions): Series {
  const { file, cases, seeds, learningRates, planOf, untilMs = Infinity } = options;
  const kept = openResults(file);
  const failed: string[] = [];
  const here = machine();
  const isOver = (): boolean => performance.now() > untilMs;
  const isOfHere = (where: Where | undefined): boolean => where?.commit === here.commit && where.cpu === here.cpu;
  const attempt = (what: string, run: () => void): void => {
    try {
      run();
    } catch (error) {
      failed.push(what);
      console.error(`${what}: ${(error as Error).message}`);
    }
  };
  const searched = (one: Case): readonly number[] => one.learningRates ?? learningRates;
  /** The seed whose runs choose a case's learning rate: the smallest of those asked for and those that are there. */
  const firstSeed = (name: string): number => {
    const known = Object.values(kept.results.runs).filter(({ plan }) => plan.name === name);
    return Math.min(...seeds, ...known.map(({ plan }) => plan.seed));
  };
  const missingPlans = function* (seed: number): Generator<RunPlan> {
    for (const one of cases) {
      const isSearch = seed === firstSeed(one.name) && one.learningRateOf === undefined;
      const best = isSearch ? undefined : bestLearningRate(kept.results, one.learningRateOf ?? one.name);
      for (const learningRate of best === undefined ? searched(one) : [best]) {
        const plan = planOf(one, learningRate, seed);
        const known = kept.results.runs[keyOf(plan)];
        // A case by the same name that is another one would be passed off as this one.
        if (known !== undefined && JSON.stringify(known.plan) !== JSON.stringify(plan)) {
          throw new Error(`${file} holds another run as '${keyOf(plan)}': give another --name`);
        }
        if (known === undefined) yield plan;
      }
    }
  };
  return {
    get results() {
      return kept.results;
    },
    failed,
    makeRuns() {
      const { command } = options;
      if (command !== undefined) kept.change(({ head }) => ({ head: { ...head, command } }));
      for (const seed of seeds) {
        for (const plan of missingPlans(seed)) {
          if (isOver()) return;
          console.log(keyOf(plan));
          attempt(keyOf(plan), () => {
            const result = { ...trainOnce(plan), stepMs: undefined };
            kept.change(({ head, runs }) => ({
              head: { ...here, command: head.command || (command ?? '') },
              runs: { ...runs, [keyOf(plan)]: result },
            }));
          });
        }
      }
    },
    measureStepTimes() {
      const known = isOfHere(kept.results.timed) ? kept.results.stepTimes : {};
      const names = Object.values(kept.results.runs).map(({ plan }) => plan.name);
      const hasRun = (name: string): boolean => names.some(own => own === name || own.startsWith(`${name} × `));
      const timed = cases.filter(({ name, stepsShare }) => stepsShare === undefined && hasRun(name));
      for (const one of timed.filter(({ name }) => !(name in known))) {
        if (isOver()) return;
        const learningRate = bestLearningRate(kept.results, one.name) ?? searched(one)[0]!;
        const plan = { ...planOf(one, learningRate, 1), steps: TIMED_STEPS, evaluations: 1, heldOutRows: 2 };
        attempt(`step of ${one.name}`, () => {
          const { stepMs, calibrationSteps, peakMB } = trainOnce(plan);
          console.log(`${one.name}: ${stepMs!.toFixed(1)} ms`);
          kept.change(({ timed, stepTimes }) => ({
            timed: here,
            stepTimes: { ...(isOfHere(timed) ? stepTimes : {}), [one.name]: { ms: stepMs!, calibrationSteps, peakMB } },
          }));
        });
      }
    },
    repeatRuns(names) {
      for (const name of names) {
        const run = bestRuns(kept.results, name)?.[0];
        if (run === undefined) throw new Error(`${file} has no run of '${name}' that could be repeated`);
        const key = keyOf(run.plan);
        if (isOfHere(kept.results.repeats[key])) continue;
        attempt(key, () => {
          const loss = finalLoss(trainOnce(run.plan));
          console.log(`${key}: ${finalLoss(run).toFixed(4)}, and now ${loss.toFixed(4)}`);
          kept.change(({ repeats }) => ({ repeats: { ...repeats, [key]: { ...here, loss } } }));
          if (!(Math.abs(loss - finalLoss(run)) <= TOLERANCE)) throw new Error('another loss than before');
        });
      }
    },
  };
}

function trainOnce(plan: RunPlan): RunResult {
  const script = fileURLToPath(new URL('trainOnce.ts', import.meta.url));
  const output = execFileSync(process.execPath, ['--import', 'tsx', script], {
    ...{ input: JSON.stringify(plan), encoding: 'utf8', maxBuffer: 2 ** 28 },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  return JSON.parse(output.trim().split('\n').at(-1)!) as RunResult;
}
