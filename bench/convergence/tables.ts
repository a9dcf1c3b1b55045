import { round } from '../median.ts';
import type { Results, RunResult } from './runPlan.ts';

/** The case that the others are compared with. */
export const baseCase = 'no drop';

/**
 * A row for each case, the base first and the others by name: at its best learning rate, means over the seeds. Times are steps times the measured time of a step of
 * that case, with the measuring of sensitivities; they are ratios to the base's whole run.
 */
export function caseRows(results: Results, base: string = baseCase): CaseRow[] {
  const cases = bestOfEachCase(results);
  const clock = clockOf(results);
  const baseRuns = cases.get(base) ?? [];
  const baseLoss = mean(baseRuns.map(finalLoss));
  const baseTime = mean(baseRuns.map(run => clock(run, run.plan.steps)));
  const others = [...cases].filter(([name]) => name !== base).sort(([a], [b]) => (a < b ? -1 : 1));
  return [...(baseRuns.length > 0 ? [[base, baseRuns] as const] : []), ...others].map(([name, runs]) => {
    const reached = runs.map(run => timeTo(run, baseLoss, clock));
    const times = timesOf(results.stepTimes, name);
    return {
      case: name,
      learningRate: runs[0]!.plan.learningRate,
      steps: runs[0]!.plan.steps,
      ...overSeeds(runs),
      dropped: round(mean(runs.map(run => run.dropped))),
      calibrationSteps: round(times?.calibrationSteps ?? NaN),
      stepMs: round(times?.ms ?? NaN),
      peakMB: times?.peakMB,
      time: round(mean(runs.map(run => clock(run, run.plan.steps))) / baseTime),
      timeToBaseLoss: reached.every(Number.isFinite) ? round(mean(reached) / baseTime) : '–',
      skippedSteps: round(mean(runs.map(run => run.skippedSteps))),
    };
  });
}

/** Final held-out loss over the seeds. */
interface OverSeeds {
  readonly seeds: number;
  readonly loss: number;
  /** Largest less smallest loss of the seeds. */
  readonly spread: number;
}

export interface CaseRow extends OverSeeds {
  readonly case: string;
  readonly learningRate: number;
  readonly steps: number;
  readonly dropped: number;
  readonly calibrationSteps: number;
  readonly stepMs: number;
  readonly peakMB: number | undefined;
  readonly time: number;
  /** '–' where not every seed gets there. */
  readonly timeToBaseLoss: number | '–';
  readonly skippedSteps: number;
}

/** A row for each case and learning rate: final held-out loss of each seed. */
export function learningRateRows({ runs }: Results): object[] {
  const groups = groupBy(Object.values(runs), ({ plan }) => `${plan.name} | ${plan.learningRate}`);
  return [...groups.values()].map(own => ({
    case: own[0]!.plan.name,
    learningRate: own[0]!.plan.learningRate,
    loss: round(mean(own.map(finalLoss))),
    seeds: own.map(run => round(finalLoss(run))).join(' '),
  }));
}

/** What a method gave under one way of dropping; times and memory are ratios to those without. */
export interface AdapterDrop extends OverSeeds {
  readonly timeRatio: number;
  readonly memoryRatio: number;
}

export interface AdapterRow extends OverSeeds {
  readonly method: string;
  readonly trainable: number;
  readonly before: number;
  readonly ms: number;
  readonly MB: number | undefined;
  /** By what the case is called behind the method's name. */
  readonly drops: Readonly<Record<string, AdapterDrop>>;
}

/** A row for each method: at its best learning rate, without DropBP and with each way of dropping. */
export function adapterRows(results: Results): AdapterRow[] {
  const cases = [...bestOfEachCase(results)];
  const msOf = (name: string): number => results.stepTimes[name]?.ms ?? NaN;
  return cases
    .filter(([, [run]]) => run!.plan.dropBP === undefined)
    .map(([method, runs]) => {
      const dropped = cases.filter(([, [run]]) => run!.plan.method === method && run!.plan.dropBP !== undefined);
      const MB = results.stepTimes[method]?.peakMB;
      return {
        method,
        trainable: runs[0]!.trainable,
        before: round(mean(runs.map(run => run.heldOut[0]!.loss))),
        ...overSeeds(runs),
        ms: round(msOf(method)),
        MB,
        drops: Object.fromEntries(
          dropped.map(([name, own]) => [
            name.slice(`${method}, `.length),
            {
              ...overSeeds(own),
              timeRatio: round(msOf(name) / msOf(method)),
              memoryRatio: round((results.stepTimes[name]?.peakMB ?? NaN) / (MB ?? NaN)),
            },
          ]),
        ),
      };
    });
}

/** The learning rate that is the best of a case; undefined before it was trained. */
export function bestLearningRate(results: Results, name: string): number | undefined {
  return bestRuns(results, name)?.[0]!.plan.learningRate;
}

/** The runs of a case at its best learning rate, the first seed's in front; undefined before it was trained. */
export function bestRuns(results: Results, name: string): RunResult[] | undefined {
  return bestOfEachCase(results).get(name);
}

/** Of each case the runs of that learning rate which was the best for the first seed. */
export function bestOfEachCase({ runs }: Results): Map<string, RunResult[]> {
  const best = new Map<string, RunResult[]>();
  for (const [name, own] of groupBy(Object.values(runs), ({ plan }) => plan.name)) {
    const byRate = [...groupBy(own, ({ plan }) => plan.learningRate).values()];
    best.set(
      name,
      byRate.reduce((a, b) => (finalLoss(b[0]!) < finalLoss(a[0]!) ? b : a)),
    );
  }
  return best;
}

function overSeeds(runs: readonly RunResult[]): OverSeeds {
  const losses = runs.map(finalLoss);
  return {
    seeds: runs.length,
    loss: round(mean(losses)),
    spread: round(Math.max(...losses) - Math.min(...losses)),
  };
}

/** Held-out loss after the last step. */
export function finalLoss({ heldOut }: RunResult): number {
  return heldOut.at(-1)!.loss;
}

type Clock = (run: RunResult, step: number) => number;

/** How long a step takes does not depend on how many there are: cases of more or fewer steps have the time of the case itself. */
export function timesOf(stepTimes: Results['stepTimes'], name: string): Results['stepTimes'][string] | undefined {
  return stepTimes[name.replace(/ × [\d.]+ steps$/, '')];
}

/** Milliseconds of training up to a step. */
function clockOf({ stepTimes }: Results): Clock {
  return ({ plan, calibrationStep }, step) => {
    const times = timesOf(stepTimes, plan.name);
    if (times === undefined) return NaN;
    const measured = calibrationStep !== undefined && step >= calibrationStep ? times.calibrationSteps : 0;
    return (step + measured) * times.ms;
  };
}

/** When the held-out loss first falls to this, on the line between two evaluations; Infinity if it does not. */
function timeTo(run: RunResult, loss: number, clock: Clock): number {
  const after = run.heldOut.findIndex(point => point.loss <= loss);
  if (after <= 0) return after === 0 ? 0 : Infinity;
  const [a, b] = [run.heldOut[after - 1]!, run.heldOut[after]!];
  const [from, to] = [clock(run, a.step), clock(run, b.step)];
  return from + ((to - from) * (a.loss - loss)) / (a.loss - b.loss);
}

function groupBy<T, K>(items: readonly T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
