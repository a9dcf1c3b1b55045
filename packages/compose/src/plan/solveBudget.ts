import { problem, sum } from '@dropbp/basics';
import type { BatchShape } from '@dropbp/core';
import type { DropSchedule } from '@dropbp/dropbp';
import type { StepShape } from './branchFlops.ts';
import { passFlops, type PassFlops } from './passFlops.ts';
import { planStep, type Planned, type StepPlan } from './planStep.ts';

/** A budget for one step, as a share of what the branches cost in its unit. */
export interface SolvedBudget {
  /** Share of the branches' backward FLOPs to drop, 0 to 1. */
  readonly rate: number;
  /** What each branch costs: FLOPs of its backward pass, or bytes. */
  readonly costs: readonly number[];
}

/**
 * The share to drop so that a step on batches of this shape saves the time, or fits into the memory, that the schedule was given as its budget.
 *
 * @throws Problem for a budget that cannot be met, naming what is possible
 */
export function solveBudget(schedule: DropSchedule, tuned: Planned, shape: StepShape): SolvedBudget {
  const { timeSaved, memory } = schedule.options;
  // FLOPs follow from shapes, what branches hold is measured: nothing is run for a budget of time.
  if (timeSaved !== undefined) return forTime(timeSaved, passFlops(tuned.internal, shape), schedule, shape);
  return forMemory(memory!, planStep(tuned, shape), schedule);
}

/**
 * The share of the branches' backward pass to drop so that this share of a step is saved; not finite where there is none.
 *
 * @param dropPrompts - whether prompts run forward only, so that the rest of the backward pass alone can be dropped
 */
export function rateForTime(
  timeSaved: number,
  { branches, answersBackward, all }: PassFlops,
  dropPrompts: boolean,
): number {
  const whole = sum(branches.map(({ backward }) => backward));
  const droppable = dropPrompts ? sum(answersBackward) : whole;
  return Math.max(0, (timeSaved * all - (whole - droppable)) / droppable);
}

function forTime(
  timeSaved: number,
  flops: PassFlops,
  schedule: DropSchedule,
  { batch, time }: BatchShape,
): SolvedBudget {
  const dropPrompts = schedule.options.dropPrompts === true;
  const whole = flops.branches.map(({ backward }) => backward);
  const costs = dropPrompts ? flops.answersBackward : whole;
  const rate = rateForTime(timeSaved, flops, dropPrompts);
  const largest = schedule.largestRate(costs);
  if (rate < 1 && rate <= largest) return { rate, costs };
  throw problem('compose', {
    what: 'no drop rate saves so much of a step',
    got: timeSaved,
    expected: `timeSaved to be at most ${floor((sum(whole) - (1 - largest) * sum(costs)) / flops.all)} for this model and adapter, on ${batch} × ${time} tokens`,
    fix: MORE_BY[schedule.options.allocation],
  });
}

const MORE_BY: Readonly<Record<DropSchedule['options']['allocation'], string>> = {
  depth: "save less, or take allocation: 'reference', which drops branches anywhere",
  reference: 'save less, or train layers that lie lower',
  minimax: 'save less, or raise maxRate',
  quadratic: 'save less, or raise maxRate',
  linear: 'save less, or raise maxRate',
};

function forMemory(memory: number, plan: StepPlan, schedule: DropSchedule): SolvedBudget {
  const dropPrompts = schedule.options.dropPrompts === true;
  const costs = dropPrompts ? plan.answerBytes : plan.branchBytes;
  const memoryAt = (rate: number): number => plan.memory(rate, dropPrompts);
  const largest = schedule.largestRate(costs);
  const all = sum(costs);
  // What a draw keeps lies within one branch of the mean.
  const margin = costs.reduce((most, cost) => Math.max(most, cost), -Infinity);
  const rate = Math.max(0, (memoryAt(0) + margin - memory) / all);
  if (memoryAt(0) <= memory) return { rate: 0, costs };
  if (rate < 1 && rate <= largest) return { rate, costs };
  const least = memoryAt(largest) + margin;
  const { batch, time } = plan.shape;
  throw problem('compose', {
    what: `no drop rate makes a step of ${batch} × ${time} tokens so small`,
    got: bytesText(memory, Math.floor),
    expected: `memory to be at least ${bytesText(least, Math.ceil)}; without drops a step takes ${bytesText(memoryAt(0), Math.ceil)}`,
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
