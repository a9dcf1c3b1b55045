import { problem } from '@dropbp/basics';
import type { Budget } from '@dropbp/dropbp';
import type { StepPlan } from './planStep.ts';

/** A budget for one step, as a share of what the branches cost in its unit. */
export interface SolvedBudget {
  /** Share of the branches' backward FLOPs to drop, 0 to 1. */
  readonly rate: number;
  /** What each branch costs: FLOPs of its backward pass, or bytes. */
  readonly costs: readonly number[];
}

/**
 * The share to drop so that a step saves the time, or fits into the memory.
 *
 * @param largestRate - the largest share that can be dropped, for the costs of each branch
 * @throws Problem for a budget that cannot be met, naming what is possible
 */
export function solveBudget(
  { timeSaved, memory }: Budget,
  plan: StepPlan,
  largestRate: (costs: readonly number[]) => number,
): SolvedBudget {
  if (timeSaved !== undefined) return forTime(timeSaved, plan, largestRate(plan.branchBackwardFlops));
  return forMemory(memory!, plan, largestRate(plan.branchBytes));
}

function forTime(timeSaved: number, plan: StepPlan, largest: number): SolvedBudget {
  const costs = plan.branchBackwardFlops;
  const droppable = sum(costs);
  const all = plan.flops(0);
  const rate = (timeSaved * all) / droppable;
  if (rate < 1 && rate <= largest) return { rate, costs };
  throw problem('compose', {
    what: 'no drop rate saves so much of a step',
    got: timeSaved,
    expected: `timeSaved to be at most ${floor((largest * droppable) / all)} for this model and adapter`,
    fix: 'save less, train fewer layers, or raise maxRate where the allocation has one',
  });
}

function forMemory(memory: number, plan: StepPlan, largest: number): SolvedBudget {
  const costs = plan.branchBytes;
  const all = sum(costs);
  // What a draw keeps lies within one branch of the mean.
  const margin = Math.max(...costs);
  const rate = Math.max(0, (plan.memory(0) + margin - memory) / all);
  if (plan.memory(0) <= memory) return { rate: 0, costs };
  if (rate < 1 && rate <= largest) return { rate, costs };
  const least = plan.memory(largest) + margin;
  const { batch, time } = plan.shape;
  throw problem('compose', {
    what: `no drop rate makes a step of ${batch} × ${time} tokens so small`,
    got: bytesText(memory, Math.floor),
    expected: `memory to be at least ${bytesText(least, Math.ceil)}; without drops a step takes ${bytesText(plan.memory(0), Math.ceil)}`,
    fix: plan.isCheckpointed
      ? 'take shorter sequences or a smaller batch'
      : 'pass checkpointing: true to compose(), with which it takes less, or take shorter sequences or a smaller batch',
  });
}

/** Rounded so that what is given never reads like what is needed, where it is less. */
function bytesText(bytes: number, rounded: (value: number) => number): string {
  if (bytes < 2 ** 20) return `${rounded(bytes)} bytes`;
  return bytes < 10 * 2 ** 30 ? `${rounded(bytes / 2 ** 20)} MiB` : `${rounded((100 * bytes) / 2 ** 30) / 100} GiB`;
}

function floor(share: number): number {
  return Math.floor(share * 1e3) / 1e3;
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}
