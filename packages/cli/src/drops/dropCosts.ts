import { plannedRate, planStep, type StepShape, type Tuned } from '@dropbp/compose';
import { dropText, promptText } from './dropText.ts';
import { formatShare } from '../terminal/formatNumber.ts';
import type { DropCosts, DropsRecord } from '../record/runRecord.ts';
import { trainsMost, type RateChoice } from './chooseRate.ts';

/** A rate to compare with where nothing is dropped. */
export const OTHER_RATE = 0.5;

/** What the drops of a run cost and save, counted in FLOPs. @param shape - of a batch of mean length */
export function dropCosts(tuned: Tuned, { why }: RateChoice, shape: StepShape): DropCosts {
  const plan = planStep(tuned, shape);
  const dropped = tuned.internal.dropSchedule?.options.rate ?? plannedRate(tuned, shape);
  const savedAt = (rate: number, dropPrompts = false): number => 1 - plan.flops(rate, dropPrompts) / plan.flops(0);
  const saved = savedAt(plannedRate(tuned, shape), dropsPrompts(tuned));
  return {
    ...{ dropped, why, saved, savedAtHalf: savedAt(OTHER_RATE) },
    trainsMost: trainsMost(tuned),
  };
}

/** Whether all steps drop prompts; false where a measurement decides it. */
export function dropsPrompts({ internal: { dropSchedule } }: Tuned): boolean {
  return dropSchedule?.options.dropPrompts === true;
}

/** How much is dropped, how and why: `'50 % of the backward pass is dropped, by depth, as --rate says'`. */
export function dropLine({ dropped, why }: DropCosts, drops: DropsRecord | null | undefined): string {
  const prompts = drops?.prompts && promptText(drops.prompts);
  if (dropped === 0) return prompts ?? `nothing is dropped, ${why}`;
  const layers = `${formatShare(dropped)} of the backward pass is dropped, ${drops ? `${dropText(drops)}, ` : ''}${why}`;
  return prompts === undefined ? layers : `${layers}; ${prompts}`;
}

/**
 * What that costs and saves, in two sentences.
 *
 * @param unit - what the shares are counted in
 */
export function costLine(costs: DropCosts, unit: 'time' | 'FLOPs'): string {
  const { dropped, saved, savedAtHalf, trainsMost: isMost } = costs;
  if (dropped === 0 && saved > 0) {
    return `Dropped prompts save about ${formatShare(saved)} of a step's ${unit}.`;
  }
  if (dropped === 0) {
    return `--rate ${OTHER_RATE} would save about ${formatShare(savedAtHalf)} of a step's ${unit}. A step would learn less.`;
  }
  const measured = isMost
    ? 'In short runs, more steps in the time saved more than made up for it.'
    : 'Fewer steps without drops (--rate 0) learned more in the same time.';
  return `Drops save about ${formatShare(saved)} of a step's ${unit}, and a step learns less. ${measured}`;
}
