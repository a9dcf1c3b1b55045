import { sum } from '@dropbp/basics';
import type { HeldOutRecord, RunRecord } from '../record/runRecord.ts';

/** What a step of a run with drops is worth beside a whole step. */
export interface StepWorth {
  /** r: whole steps that a step of the run was worth. */
  readonly worth: number;
  /** Whether it was worth more than `worth`: the whole run never came down to the run's loss. */
  readonly isAtLeast: boolean;
  /** s in FLOPs: those of a whole step ÷ those of a step of the run. */
  readonly flops: number;
  /** s in time, as measured: evaluations are left out, measuring sensitivities counts. */
  readonly time: number;
}

/** The page that says what r and s are, and what was measured. */
export const definitionPage = 'https://github.com/dropbp/dropbp-js/blob/main/docs/when-drops-pay.md';

/** What must be the same for a step of one run to compare with a step of another. */
const sharedOptions = ['adapter', 'batch', 'time', 'arrangement', 'accumulation', 'schedule'] as const;

/**
 * What dropping was worth: r, s in FLOPs and s in time. Dropping paid where r · s > 1.
 *
 * r is n ÷ N. N is the number of steps of the run; after n steps without drops the held-out loss is what the run ended at. If
 * runs without drops of several lengths are given, n lies on the line through their ends over the logarithm of the steps.
 * With one of them, n lies on its held-out curve.
 *
 * @param runs - the first must have dropped nothing
 * @returns undefined where the run does not compare with the first: other data, model, adapter or batches, or nothing dropped
 */
export function stepWorth(run: RunRecord, runs: readonly RunRecord[]): StepWorth | undefined {
  const base = runs[0]!;
  const end = run.heldOut.at(-1);
  if (end === undefined || end.step === 0 || !isWhole(base) || isWhole(run) || !compares(run, base)) return undefined;
  const reached = stepsTo(
    end.loss,
    runs.filter(other => isWhole(other) && compares(other, base)),
  );
  if (reached === undefined || run.costs === undefined) return undefined;
  // The plan says what a half of the backward pass would save.
  const backwardShare = 2 * run.costs.savedAtHalf;
  return {
    worth: reached.steps / end.step,
    isAtLeast: reached.isAtLeast,
    flops: 1 / (1 - backwardShare * meanDropped(run)),
    time: secondsPerStep(base) / secondsPerStep(run),
  };
}

function compares(run: RunRecord, base: RunRecord): boolean {
  return (
    run.model.source === base.model.source &&
    run.data.source === base.data.source &&
    run.data.heldOutTokens === base.data.heldOutTokens &&
    sharedOptions.every(name => run.options[name] === base.options[name])
  );
}

function isWhole({ steps }: RunRecord): boolean {
  return steps.length > 0 && steps.every(({ dropped }) => dropped === 0);
}

interface Reached {
  readonly steps: number;
  readonly isAtLeast: boolean;
}

/** How many whole steps it takes to come down to a loss. @param whole - the first is the one to compare with */
function stepsTo(loss: number, whole: readonly RunRecord[]): Reached | undefined {
  const ends = falling(whole.flatMap(({ heldOut }) => heldOut.slice(1).slice(-1)));
  if (ends.length > 1) {
    const below = ends.findIndex(end => end.loss <= loss);
    const at = below < 0 ? ends.length - 1 : Math.max(1, below);
    return { steps: stepsBetween(ends[at - 1]!, ends[at]!, loss), isAtLeast: false };
  }
  const curve = falling(whole[0]!.heldOut);
  const [start, lowest] = [curve[0], curve.at(-1)];
  if (start === undefined || lowest === undefined || lowest.step === 0) return undefined;
  if (loss >= start.loss) return { steps: 0, isAtLeast: false };
  if (loss < lowest.loss) return { steps: lowest.step, isAtLeast: true };
  const at = curve.findIndex(point => point.loss <= loss);
  return { steps: stepsBetween(curve[at - 1]!, curve[at]!, loss), isAtLeast: false };
}

/** The points by steps, without those that do not lie below all before them. */
function falling(points: readonly HeldOutRecord[]): HeldOutRecord[] {
  const sorted = [...points].sort((a, b) => a.step - b.step);
  return sorted.filter((point, i) => sorted.slice(0, i).every(({ loss }) => point.loss < loss));
}

/** Where the line through two points comes to a loss: a line over the logarithm of the steps, but from no step at all. */
function stepsBetween(a: HeldOutRecord, b: HeldOutRecord, loss: number): number {
  const share = (a.loss - loss) / (a.loss - b.loss);
  return a.step === 0 ? share * b.step : a.step * (b.step / a.step) ** share;
}

/** Share of the branches' backward FLOPs that was dropped: the mean over the steps. */
export function meanDropped({ steps }: RunRecord): number {
  return sum(steps.map(({ dropped }) => dropped)) / Math.max(1, steps.length);
}

function secondsPerStep({ trainSeconds, steps }: RunRecord): number {
  return trainSeconds / steps.length;
}

/** For each run that compares with the first, whether its drops paid, in a sentence; then what r and s mean, if there is one. */
export function worthLines(
  runs: readonly RunRecord[],
): readonly [verdicts: readonly string[], definition: string | undefined] {
  const verdicts = runs.flatMap(run => {
    const found = stepWorth(run, runs);
    return found === undefined ? [] : [`${run.name}: ${verdictOf(found)}.`];
  });
  return [verdicts, verdicts.length === 0 ? undefined : definition];
}

const definition =
  'r: whole steps that a step with drops was worth. s: how many times faster it was. Dropping pays where r · s > 1.';

function verdictOf({ worth, flops, time, isAtLeast }: StepWorth): string {
  const paid = [...(worth * flops > 1 ? ['FLOPs'] : []), ...(worth * time > 1 ? ['time'] : [])];
  if (paid.length > 0) return `dropping paid in ${paid.join(' and in ')}`;
  return isAtLeast ? 'whether dropping paid is open, as the run without drops was too short' : 'dropping did not pay';
}
