import type { ExactAllocationInput } from './allocateRates.ts';
import { fillToLevel } from './fillToLevel.ts';
import { relativeSensitivities } from './relativeSensitivities.ts';

/** Least `max(sensitivity · rate)` at exactly the budget: rates are inversely proportional to sensitivities. */
export function minimaxRates({ sensitivities, ...input }: ExactAllocationInput): number[] {
  return fillToLevel({ ...input, slopes: relativeSensitivities(sensitivities).map(s => 1 / s) });
}
