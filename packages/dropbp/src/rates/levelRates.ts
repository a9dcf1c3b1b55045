import type { ExactAllocationInput } from './allocateRates.ts';
import { fillToLevel, relativeSensitivities } from './fillToLevel.ts';

/** Least `Σ sensitivity · rate²` at exactly the budget: rates are proportional to flops / sensitivity. */
export function quadraticRates({ sensitivities, ...input }: ExactAllocationInput): number[] {
  const largest = input.flops.reduce((most, value) => Math.max(most, value), 0);
  return fillToLevel({
    ...input,
    slopes: relativeSensitivities(sensitivities).map((s, i) => input.flops[i]! / largest / s),
  });
}

/** Least `max(sensitivity · rate)` at exactly the budget: rates are inversely proportional to sensitivities. */
export function minimaxRates({ sensitivities, ...input }: ExactAllocationInput): number[] {
  return fillToLevel({ ...input, slopes: relativeSensitivities(sensitivities).map(s => 1 / s) });
}
