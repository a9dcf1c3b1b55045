import type { HeldOutRecord, RunRecord } from './runRecord.ts';

/** By more than this share, a loss at the end is above the best: less may be chance. */
const OVERFIT = 0.01;

/** The lowest held-out loss of training; undefined where none lies below the one before training. */
export function bestHeldOut(measured: readonly HeldOutRecord[]): HeldOutRecord | undefined {
  const before = measured.find(({ step }) => step === 0)?.loss ?? Infinity;
  const after = measured.filter(({ step, loss }) => step > 0 && loss < before);
  return after.reduce<HeldOutRecord | undefined>(
    (best, next) => (best && best.loss <= next.loss ? best : next),
    undefined,
  );
}

/** What went wrong with the held-out loss of a run. */
export type HeldOutFault =
  /** No loss of training lies below the one before. */
  | { readonly kind: 'worse'; readonly before: number; readonly lowest: number }
  /** It fell and rose again. */
  | { readonly kind: 'overfit'; readonly best: HeldOutRecord; readonly last: HeldOutRecord };

/** Whether training made a model worse on what it did not see; undefined where it did not, or nothing was measured. */
export function heldOutFault({ heldOut }: Pick<RunRecord, 'heldOut'>): HeldOutFault | undefined {
  const before = heldOut.find(({ step }) => step === 0);
  const last = heldOut.at(-1);
  if (before === undefined || last === undefined || last.step === 0) return undefined;
  const best = bestHeldOut(heldOut);
  if (best === undefined) {
    const lowest = heldOut.reduce((least, { step, loss }) => (step > 0 ? Math.min(least, loss) : least), Infinity);
    return { kind: 'worse', before: before.loss, lowest };
  }
  return last.loss > best.loss * (1 + OVERFIT) ? { kind: 'overfit', best, last } : undefined;
}
