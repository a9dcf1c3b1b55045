import { leastDropped, type DropSchedule } from '@dropbp/dropbp';

/**
 * The share of the branches' backward pass that no step drops less of, but for one branch: what memory in the largest step follows
 * from.
 *
 * @param schedule - of the run; undefined where nothing is dropped
 * @param rate - that of the run
 * @param costs - what each branch's backward pass costs; 0 for one that has none
 */
export function leastShare(
  schedule: Pick<DropSchedule, 'options'> | undefined,
  rate: number,
  costs: readonly number[],
): number {
  if (schedule === undefined) return 0;
  const { sampling, allocation } = schedule.options;
  switch (sampling) {
    case 'nested':
      return allocation === 'depth' ? leastDropped(rate) : 0;
    case 'pivotal':
      return rate;
    case 'reference':
      return cheapestShare(rate, costs);
    case 'bernoulli':
      // Independent drops can all fall out.
      return 0;
  }
}

/** The authors' draw is filled up to the rate by the number of branches: those that it drops may be the cheapest. */
function cheapestShare(rate: number, costs: readonly number[]): number {
  const cheapestFirst = costs.filter(cost => cost > 0).sort((a, b) => a - b);
  // Half a millionth of a branch is a rounding, not one more.
  const count = Math.ceil(rate * cheapestFirst.length - 5e-7);
  const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);
  return count === 0 ? 0 : Math.min(rate, sum(cheapestFirst.slice(0, count)) / sum(cheapestFirst));
}
