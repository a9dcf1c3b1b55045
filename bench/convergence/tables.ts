import { median, round } from '../median.ts';
import type { RunResult } from './runPlan.ts';

/** A row for each case: at its best learning rate, means over the seeds. */
export function caseRows(results: readonly RunResult[], base = 'no drop'): object[] {
  const cases = bestOfEachCase(results);
  const baseRuns = cases.get(base);
  const baseLoss = baseRuns && mean(baseRuns.map(finalLoss));
  const baseSeconds = baseRuns && mean(baseRuns.map(trainSeconds));
  return [...cases].map(([name, runs]) => {
    const losses = runs.map(finalLoss);
    const seconds = mean(runs.map(trainSeconds));
    const atBase = baseSeconds && mean(runs.map(run => lossAt(run, baseSeconds)));
    const reached = baseLoss === undefined ? [] : runs.map(run => secondsTo(run, baseLoss));
    return {
      case: name,
      learningRate: runs[0]!.plan.learningRate,
      seeds: runs.length,
      loss: round(mean(losses)),
      spread: round(Math.max(...losses) - Math.min(...losses)),
      seconds: round(seconds),
      ...(baseSeconds && { time: round(seconds / baseSeconds), lossInBaseTime: round(atBase!) }),
      ...(baseLoss !== undefined && {
        // Time to the base's final loss, over the base's own; '–' where not every seed gets there.
        timeToBaseLoss: reached.every(Number.isFinite) ? round(mean(reached) / baseSeconds!) : '–',
      }),
      stepMs: round(1000 * median(runs.flatMap(run => run.seconds))),
      stepSdMs: round(1000 * mean(runs.map(stepDeviation))),
      dropped: round(mean(runs.flatMap(run => run.dropped))),
      calibrationSteps: round(mean(runs.map(run => run.calibrationSeconds / median(run.seconds)))),
      skippedSteps: round(mean(runs.map(run => run.skippedSteps))),
      peakMB: Math.round(Math.max(...runs.map(run => run.peakMB))),
    };
  });
}

/** A row for each case and learning rate: final held-out loss of each seed. */
export function learningRateRows(results: readonly RunResult[]): object[] {
  const groups = groupBy(results, ({ plan }) => `${plan.name} | ${plan.learningRate}`);
  return [...groups.values()].map(runs => ({
    case: runs[0]!.plan.name,
    learningRate: runs[0]!.plan.learningRate,
    loss: round(mean(runs.map(finalLoss))),
    seeds: runs.map(run => round(finalLoss(run))).join(' '),
  }));
}

/** A row for each method that was trained with DropBP and without, each at its own best learning rate. */
export function adapterRows(results: readonly RunResult[]): object[] {
  const cases = bestOfEachCase(results);
  return [...cases].flatMap(([method, without]) => {
    const dropped = [...cases].find(([, [run]]) => run!.plan.method === method && run!.plan.dropBP)?.[1];
    if (dropped === undefined || without[0]!.plan.dropBP) return [];
    const ms = [without, dropped].map(runs => 1000 * median(runs.flatMap(run => run.seconds)));
    const MB = [without, dropped].map(runs => Math.round(Math.max(...runs.map(run => run.peakMB))));
    return [
      {
        method,
        trainable: without[0]!.trainable,
        before: round(mean(without.map(run => run.heldOut[0]!.loss))),
        loss: round(mean(without.map(finalLoss))),
        lossDropped: round(mean(dropped.map(finalLoss))),
        learningRates: [without, dropped].map(runs => runs[0]!.plan.learningRate).join(' '),
        ms: round(ms[0]!),
        msDropped: round(ms[1]!),
        timeRatio: round(ms[1]! / ms[0]!),
        MB: MB[0],
        MBDropped: MB[1],
      },
    ];
  });
}

/** Of each case the runs of that learning rate whose mean loss is the lowest. */
function bestOfEachCase(results: readonly RunResult[]): Map<string, RunResult[]> {
  const best = new Map<string, RunResult[]>();
  for (const [name, runs] of groupBy(results, ({ plan }) => plan.name)) {
    const byRate = [...groupBy(runs, ({ plan }) => plan.learningRate).values()];
    best.set(
      name,
      byRate.reduce((a, b) => (mean(b.map(finalLoss)) < mean(a.map(finalLoss)) ? b : a)),
    );
  }
  return best;
}

function finalLoss({ heldOut }: RunResult): number {
  return heldOut.at(-1)!.loss;
}

function trainSeconds({ heldOut }: RunResult): number {
  return heldOut.at(-1)!.seconds;
}

/** The held-out loss after so much training time: on the line between the evaluations around it, or the last. */
function lossAt({ heldOut }: RunResult, seconds: number): number {
  const after = heldOut.findIndex(point => point.seconds >= seconds);
  if (after === -1) return heldOut.at(-1)!.loss;
  if (after === 0) return heldOut[0]!.loss;
  const [a, b] = [heldOut[after - 1]!, heldOut[after]!];
  return a.loss + ((b.loss - a.loss) * (seconds - a.seconds)) / (b.seconds - a.seconds);
}

/** The training time at which the held-out loss first falls to this; Infinity if it does not. */
function secondsTo({ heldOut }: RunResult, loss: number): number {
  const at = heldOut.findIndex(point => point.loss <= loss);
  if (at <= 0) return at === 0 ? 0 : Infinity;
  const [a, b] = [heldOut[at - 1]!, heldOut[at]!];
  return a.seconds + ((b.seconds - a.seconds) * (a.loss - loss)) / (a.loss - b.loss);
}

/** Of the steps behind the first five, which load and compile, and without the step that measured sensitivities. */
function stepDeviation({ seconds }: RunResult): number {
  const usual = median([...seconds]);
  const later = seconds.slice(5).filter(value => value < 4 * usual);
  const middle = mean(later);
  return Math.sqrt(mean(later.map(value => (value - middle) ** 2)));
}

function groupBy<T, K>(items: readonly T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
