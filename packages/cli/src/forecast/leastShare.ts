import { sum } from '@dropbp/basics';
import { leastDropped, type DropSchedule, type RateSchedule } from '@dropbp/dropbp';

/**
 * The share of the branches' backward pass that no step drops less of, but for one branch: what memory in the largest step follows
 * from.
 *
 * @param schedule - of the run; undefined where nothing is dropped
 * @param rate - that of the run, where one that moves has come to its value
 * @param costs - what each branch's backward pass costs; 0 for one that has none
 */
export function leastShare(
  schedule: Pick<DropSchedule, 'options'> | undefined,
  rate: number,
  costs: readonly number[],
): number {
  if (schedule === undefined) return 0;
  const { sampling, allocation, schedule: moves } = schedule.options;
  const least = moves === undefined ? rate : lowestRate(rate, moves);
  switch (sampling) {
    case 'nested':
      return allocation === 'depth' ? leastDropped(least) : 0;
    case 'pivotal':
      return least;
    case 'reference':
      return cheapestShare(least, costs);
    case 'bernoulli':
      // Independent drops can all fall out.
      return 0;
  }
}

function lowestRate(rate: number, { warmup, ramp, from }: Required<RateSchedule>): number {
  if (warmup > 0) return 0;
  return ramp > 0 ? Math.min(rate, from) : rate;
}

/** The authors' draw is filled up to the rate by the number of branches: those that it drops may be the cheapest. */
function cheapestShare(rate: number, costs: readonly number[]): number {
  const cheapestFirst = costs.filter(cost => cost > 0).sort((a, b) => a - b);
  // Half a millionth of a branch is a rounding, not one more.
  const count = Math.ceil(rate * cheapestFirst.length - 5e-7);
  return count === 0 ? 0 : Math.min(rate, sum(cheapestFirst.slice(0, count)) / sum(cheapestFirst));
}
