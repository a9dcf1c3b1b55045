import { formatBytes, formatCount, formatLarge, formatSeconds, formatShare } from '../../terminal/formatNumber.ts';
import { bestHeldOut } from '../../record/heldOutCourse.ts';
import { meanDropped, stepWorth } from '../stepWorth.ts';
import type { RunRecord } from '../../record/runRecord.ts';

/** A figure of a run. */
export interface Measure {
  readonly title: string;
  /** Undefined where a run does not have it. @param runs - the first is what the others are compared with */
  readonly value: (run: RunRecord, runs: readonly RunRecord[]) => number | undefined;
  readonly show: (value: number, run: RunRecord, runs: readonly RunRecord[]) => string;
  /** Whether the difference between runs says something. */
  readonly isCompared?: boolean;
  /** Whether it is of interest beside a report: in the table on a terminal. */
  readonly isMain?: boolean;
}

const measures: readonly Measure[] = [
  { title: 'Held-out loss before', value: run => run.heldOut[0]?.loss, show: showLoss, isMain: true },
  { title: 'Held-out loss after', value: heldOutAfter, show: showLoss, isCompared: true, isMain: true },
  { title: 'Best held-out loss', value: bestLoss, show: showLoss, isMain: true },
  { title: 'Training time', value: run => run.trainSeconds, show: formatSeconds, isCompared: true, isMain: true },
  { title: 'Peak memory', value: run => run.peakMemoryBytes, show: formatBytes, isCompared: true, isMain: true },
  { title: 'Tokens per second', value: tokensPerSecond, show: formatCount, isCompared: true, isMain: true },
  { title: 'Backward pass dropped', value: meanDropped, show: formatShare, isMain: true },
  { title: 'Worth of a step, r', value: (run, runs) => stepWorth(run, runs)?.worth, show: showWorth, isMain: true },
  { title: 'Speed-up in FLOPs, s', value: (run, runs) => stepWorth(run, runs)?.flops, show: showRatio, isMain: true },
  { title: 'r · s in FLOPs', value: (run, runs) => gain(run, runs, 'flops'), show: showWorth, isMain: true },
  { title: 'Speed-up in time, s', value: (run, runs) => stepWorth(run, runs)?.time, show: showRatio, isMain: true },
  { title: 'r · s in time', value: (run, runs) => gain(run, runs, 'time'), show: showWorth, isMain: true },
  { title: 'Measuring sensitivities', value: calibrationSteps, show: showSteps, isMain: true },
  { title: 'Trained parameters', value: run => run.model.trainable, show: formatLarge, isMain: true },
  { title: 'Parameters in all', value: run => run.model.parameters, show: formatLarge },
  { title: 'Steps', value: run => run.steps.length, show: formatCount },
  { title: 'Step that was kept', value: run => run.ended?.keptStep, show: formatCount },
  { title: 'Tokens to train on', value: run => run.data.trainTokens, show: formatLarge },
];

/** The figures that at least one of the runs has. The first run is what the others are compared with. */
export function measuresOf(runs: readonly RunRecord[]): Measure[] {
  return measures.filter(measure => runs.some(run => measure.value(run, runs) !== undefined));
}

/** By how much a run differs from the first in a figure: `'−31 %'`; undefined where that says nothing. */
export function difference(
  { value, isCompared }: Measure,
  run: RunRecord,
  runs: readonly RunRecord[],
): string | undefined {
  const base = runs[0]!;
  const [own, other] = [value(run, runs), value(base, runs)];
  if (isCompared !== true || run === base || own === undefined || other === undefined || other === 0) return undefined;
  const change = own / other - 1;
  return `${change < 0 ? '−' : '+'}${(Math.abs(change) * 100).toFixed(Math.abs(change) < 0.1 ? 1 : 0)} %`;
}

function heldOutAfter(run: RunRecord): number | undefined {
  return run.heldOut.length > 1 ? run.heldOut.at(-1)!.loss : undefined;
}

/** Undefined where it was measured at the end alone, or none lies below that before training. */
function bestLoss({ heldOut }: RunRecord): number | undefined {
  return heldOut.length > 2 ? bestHeldOut(heldOut)?.loss : undefined;
}

function tokensPerSecond(run: RunRecord): number | undefined {
  const tokens = run.steps.reduce((sum, step) => sum + step.tokens, 0);
  return run.trainSeconds > 0 ? tokens / run.trainSeconds : undefined;
}

/** How long DropBP's sensitivities took to measure, in steps of the run. */
function calibrationSteps({ steps, trainSeconds }: RunRecord): number | undefined {
  const seconds = steps.reduce((sum, step) => sum + (step.calibrationSeconds ?? 0), 0);
  return seconds > 0 ? (seconds * steps.length) / (trainSeconds - seconds) : undefined;
}

function gain(run: RunRecord, runs: readonly RunRecord[], unit: 'flops' | 'time'): number | undefined {
  const worth = stepWorth(run, runs);
  return worth && worth.worth * worth[unit];
}

function showRatio(ratio: number): string {
  return ratio.toFixed(2);
}

/** r, or a product with it: the whole run may have ended above the run's loss. */
function showWorth(ratio: number, run: RunRecord, runs: readonly RunRecord[]): string {
  return `${stepWorth(run, runs)?.isAtLeast === true ? '≥ ' : ''}${ratio.toFixed(2)}`;
}

function showSteps(steps: number): string {
  return `${steps.toFixed(1)} steps`;
}

function showLoss(loss: number): string {
  return loss.toFixed(3);
}
