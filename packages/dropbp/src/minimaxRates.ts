import type { ExactAllocationInput } from './allocateRates.ts';
import { fillToLevel } from './fillToLevel.ts';
import { relativeSensitivities } from './relativeSensitivities.ts';

/** Least `max(sensitivity · rate)` at exactly the budget: rates are inversely proportional to sensitivities. */
export function minimaxRates({ sensitivities, ...input }: ExactAllocationInput): number[] {
  // A branch without FLOPs adds nothing to the budget: it is not worth any sensitivity.
  const slope = (s: number, flops: number): number => (flops === 0 ? 0 : 1 / s);
  const relative = relativeSensitivities(sensitivities);
  return fillToLevel({ ...input, slopes: relative.map((s, i) => slope(s, input.flops[i]!)) });
}
