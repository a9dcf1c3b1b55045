import { sum } from '@dropbp/basics';
import type { ExactAllocationInput } from './allocateRates.ts';

/**
 * Least `Σ sensitivity · rate` at exactly the budget, a fractional knapsack: the branches with the least sensitivity per
 * FLOP go to `maxRate`, the others stay at `minRate`, one at most is in between. Close to freezing the former.
 * Equal branches are filled from the last to the first, as in the reference.
 */
export function linearRates({ sensitivities, flops, budget, minRate, maxRate }: ExactAllocationInput): number[] {
  const price = sensitivities.map((s, i) => (flops[i]! > 0 ? s / flops[i]! : Infinity));
  const cheapestFirst = price.map((_, i) => i).sort((i, j) => (price[i] === price[j] ? j - i : price[i]! - price[j]!));
  const rates = price.map(() => minRate);
  let missing = budget - sum(flops) * minRate;
  for (const i of cheapestFirst) {
    if (missing <= 0 || price[i] === Infinity) break;
    const room = flops[i]! * (maxRate - minRate);
    rates[i] = missing < room ? minRate + missing / flops[i]! : maxRate;
    missing -= room;
  }
  return rates;
}
