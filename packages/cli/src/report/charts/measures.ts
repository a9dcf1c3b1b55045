import { formatBytes, formatCount, formatLarge, formatSeconds, formatShare } from '../../terminal/formatNumber.ts';
import { bestHeldOut } from '../../record/heldOutCourse.ts';
import type { RunRecord } from '../../record/runRecord.ts';

/** A figure of a run. */
export interface Measure {
  readonly title: string;
  /** Undefined where a run does not have it. */
  readonly value: (run: RunRecord) => number | undefined;
  readonly show: (value: number) => string;
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
  { title: 'Backward pass dropped', value: droppedShare, show: formatShare, isMain: true },
  { title: 'Measuring sensitivities', value: calibrationSteps, show: showSteps, isMain: true },
  { title: 'Trained parameters', value: run => run.model.trainable, show: formatLarge, isMain: true },
  { title: 'Parameters in all', value: run => run.model.parameters, show: formatLarge },
  { title: 'Steps', value: run => run.steps.length, show: formatCount },
  { title: 'Step that was kept', value: run => run.ended?.keptStep, show: formatCount },
  { title: 'Tokens to train on', value: run => run.data.trainTokens, show: formatLarge },
];

/** The figures that at least one of the runs has. */
export function measuresOf(runs: readonly RunRecord[]): Measure[] {
  return measures.filter(measure => runs.some(run => measure.value(run) !== undefined));
}

/** By how much a run differs from another in a figure: `'−31 %'`; undefined where that says nothing. */
export function difference({ value, isCompared }: Measure, run: RunRecord, base: RunRecord): string | undefined {
  const [own, other] = [value(run), value(base)];
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

/** Mean over the steps. */
function droppedShare(run: RunRecord): number {
  return run.steps.reduce((sum, step) => sum + step.dropped, 0) / Math.max(1, run.steps.length);
}

/** How long DropBP's sensitivities took to measure, in steps of the run. */
function calibrationSteps({ steps, trainSeconds }: RunRecord): number | undefined {
  const seconds = steps.reduce((sum, step) => sum + (step.calibrationSeconds ?? 0), 0);
  return seconds > 0 ? (seconds * steps.length) / (trainSeconds - seconds) : undefined;
}

function showSteps(steps: number): string {
  return `${steps.toFixed(1)} steps`;
}

function showLoss(loss: number): string {
  return loss.toFixed(3);
}
