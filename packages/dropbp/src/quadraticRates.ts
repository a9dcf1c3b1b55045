import type { ExactAllocationInput } from './allocateRates.ts';
import { fillToLevel } from './fillToLevel.ts';
import { relativeSensitivities } from './relativeSensitivities.ts';

/** Least `Σ sensitivity · rate²` at exactly the budget: rates are proportional to flops / sensitivity. */
export function quadraticRates({ sensitivities, ...input }: ExactAllocationInput): number[] {
  const largest = Math.max(...input.flops, 0);
  // A branch without FLOPs adds nothing to the budget, so it is not worth any sensitivity: 0, also where 0 / 0.
  const slope = (s: number, flops: number): number => (flops === 0 ? 0 : flops / largest / s);
  return fillToLevel({
    ...input,
    slopes: relativeSensitivities(sensitivities).map((s, i) => slope(s, input.flops[i]!)),
  });
}
