import { leastDropped, type DropSchedule } from '@dropbp/dropbp';

/**
 * The share of the branches' backward pass that no step drops less of, but for one branch: what memory in the largest step follows
 * from.
 *
 * @param schedule - of the run; undefined where nothing is dropped
 * @param rate - that of the run
 */
export function leastShare(schedule: Pick<DropSchedule, 'options'> | undefined, rate: number): number {
  if (schedule === undefined) return 0;
  const { sampling, allocation } = schedule.options;
  if (sampling === 'nested') return allocation === 'depth' ? leastDropped(rate) : 0;
  // Independent drops can all fall out; the authors' draw is filled up to the rate, and a pivotal one always comes to it.
  return sampling === 'bernoulli' ? 0 : rate;
}
