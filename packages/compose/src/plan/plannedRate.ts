import { sum } from '@dropbp/basics';
import type { TunedAdapter } from '../tuned.ts';
import { branchFlops, checkShape, type StepShape } from './branchFlops.ts';
import { passFlops } from './passFlops.ts';
import { solveBudget } from './solveBudget.ts';

/**
 * The share of the branches' backward pass that steps on batches of this shape drop on average, before sensitivities are measured: of its FLOPs, and
 * of its bytes where the budget is memory. 0 without DropBP.
 *
 * @throws Problem for a budget that such a step cannot meet, naming what is possible: so that a run can be refused before it begins
 */
export function plannedRate(tuned: TunedAdapter, shape: StepShape): number {
  checkShape('plannedRate()', shape);
  const { dropSchedule: schedule } = tuned.internal;
  if (schedule === undefined) return 0;
  if (schedule.options.rate === undefined) return solveBudget(schedule, tuned, shape).rate;
  const rates = schedule.ratesWith(branchFlops(tuned, shape));
  const backward = passFlops(tuned.internal, shape).branches.map(branch => branch.backward);
  const all = sum(backward);
  return all === 0 ? 0 : sum(backward.map((flops, i) => flops * rates[i]!)) / all;
}
