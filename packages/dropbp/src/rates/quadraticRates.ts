import type { ExactAllocationInput } from './allocateRates.ts';
import { fillToLevel } from './fillToLevel.ts';
import { relativeSensitivities } from './relativeSensitivities.ts';

/** Least `Σ sensitivity · rate²` at exactly the budget: rates are proportional to flops / sensitivity. */
export function quadraticRates({ sensitivities, ...input }: ExactAllocationInput): number[] {
  const largest = input.flops.reduce((most, value) => Math.max(most, value), 0);
  return fillToLevel({
    ...input,
    slopes: relativeSensitivities(sensitivities).map((s, i) => input.flops[i]! / largest / s),
  });
}
