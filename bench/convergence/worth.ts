import type { Results, RunResult } from './runPlan.ts';
import { baseCase, bestOfEachCase, finalLoss, mean, timesOf } from './tables.ts';

/** What a case's way of dropping is worth; see docs/when-drops-pay.md. */
export interface WorthRow {
  readonly case: string;
  readonly steps: number;
  readonly seeds: number;
  /** Final held-out loss: the mean over the seeds. */
  readonly loss: number;
  /** Share of the branches' backward FLOPs that was dropped. */
  readonly dropped: number;
  /** r: whole steps that a step was worth. */
  readonly worth: number;
  /** s in FLOPs: those of a whole step ÷ those of a step. NaN where they were not counted. */
  readonly speedUpFlops: number;
  /** s in time: that of a whole step ÷ that of a step. NaN where it was not measured. */
  readonly speedUp: number;
}

/** The share of the steps whose loss, beside that of all of them, says what a step is worth. */
const SHORTER = 0.7;

/**
 * What each case with drops is worth beside the runs without, of the seeds that both have. κ is the slope of the whole runs' loss
 * over the logarithm of their steps, r = (N ÷ n) · exp(−(L − L₀) ÷ κ): a case of n steps ended at L, the whole runs of N steps at L₀.
 *
 * @returns none where no shorter whole runs say what κ is
 */
export function worthRows(results: Results): WorthRow[] {
  const cases = bestOfEachCase(results);
  const whole = cases.get(baseCase);
  const shorter = [...cases.values()].filter(([run]) => run!.plan.name.startsWith(`${baseCase} × `));
  if (whole === undefined || shorter.length === 0) return [];
  const shareOf = (runs: readonly RunResult[]): number => runs[0]!.plan.steps / whole[0]!.plan.steps;
  const off = (runs: readonly RunResult[]): number => Math.abs(shareOf(runs) - SHORTER);
  const nearest = shorter.reduce((best, next) => (off(next) < off(best) ? next : best));
  const slope = -lossLessBase(nearest, whole) / Math.log(shareOf(nearest));
  const baseMs = timesOf(results.stepTimes, baseCase)?.ms ?? NaN;
  return [...cases]
    .filter(([name]) => !name.startsWith(baseCase))
    .map(([name, runs]) => ({
      case: name,
      steps: runs[0]!.plan.steps,
      seeds: runs.length,
      loss: mean(runs.map(finalLoss)),
      dropped: mean(runs.map(({ dropped }) => dropped)),
      worth: Math.exp(-lossLessBase(runs, whole) / slope) / shareOf(runs),
      speedUpFlops: mean(whole.map(stepFlopsOf)) / mean(runs.map(stepFlopsOf)),
      speedUp: baseMs / (timesOf(results.stepTimes, name)?.ms ?? NaN),
    }));
}

/** By how much the loss of a case lies above that of the whole runs, over the seeds that both have. */
function lossLessBase(runs: readonly RunResult[], whole: readonly RunResult[]): number {
  const pairs = runs.flatMap(run => {
    const other = whole.find(({ plan }) => plan.seed === run.plan.seed);
    return other === undefined ? [] : [finalLoss(run) - finalLoss(other)];
  });
  return mean(pairs);
}

function stepFlopsOf({ stepFlops }: RunResult): number {
  return stepFlops ?? NaN;
}
