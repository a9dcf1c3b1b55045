import { leadsToTrainable, trainedBranches } from '@dropbp/core';
import type { DrawTerms, DropBP, DropSchedule } from '@dropbp/dropbp';
import { branchFlops, type StepShape } from '../plan/branchFlops.ts';
import type { Planned } from '../plan/planStep.ts';
import { passFlops } from '../plan/passFlops.ts';
import { rateForTime, solveBudget } from '../plan/solveBudget.ts';
import type { BatchShare } from '../tuned.ts';

/** What a step drops. */
export interface Drops {
  /** True = dropped, for each branch. */
  readonly dropped: readonly boolean[];
  /** What the gradients through each branch are multiplied with. */
  readonly gradientScales?: readonly number[] | undefined;
  /** The same for the gradients of each branch's parameters alone. */
  readonly parameterScales?: readonly number[] | undefined;
}

/** DropBP at work on a model with an adapter. */
export interface Dropping {
  readonly schedule: DropSchedule;
  /** What a step on a batch of this shape drops, which is a share of a larger one where one is given. */
  drops(step: number, shape: StepShape, share?: BatchShare): Drops;
}

/** Sequences of this many tokens, as in the authors' code, set the branches' FLOPs against each other until a batch is there. */
const USUAL_TIME = 512;
/** The longest sequence that is thought of, where a model has no end of positions. */
const MOST_TIME = 2 ** 20;

/** @throws Problem where DropBP's budget cannot be reached */
export function startDropping(dropBP: DropBP, tuned: Planned): Dropping {
  const { internal: runnable } = tuned;
  const { model } = runnable;
  const [leads, trains] = [leadsToTrainable(runnable), trainedBranches(runnable)];
  const shapes = [1, USUAL_TIME, MOST_TIME].map(time => ({ batch: 1, time: Math.min(time, model.maxPositions) }));
  const [shortest, usual, longest] = shapes.map(shape => branchFlops(runnable, shape)) as [
    number[],
    number[],
    number[],
  ];
  const { timeSaved } = dropBP.options;
  const solved =
    timeSaved && Math.max(...shapes.map(shape => rateForTime(timeSaved, passFlops(runnable, shape), false)));
  const schedule = dropBP.start(
    model.branches.map(({ kind }, i) => ({
      flops: usual[i]!,
      flopsRange: [shortest[i]!, longest[i]!],
      kind,
      leads: leads[i]!,
      trains: trains[i]!,
    })),
    solved,
  );
  const { allocation, sampling } = schedule.options;
  // By depth all branches behind a kept one are kept: what arrives is whole, and what a branch hands on is to stay so.
  const isNested = allocation === 'depth' && sampling === 'nested';
  const known = new Map<string, DrawTerms>();
  const termsOf = (shape: StepShape): DrawTerms => {
    const key = `${shape.batch}x${shape.time}x${shape.prompt ?? 0}`;
    const terms = known.get(key) ?? newTerms(shape);
    known.set(key, terms);
    return terms;
  };
  const newTerms = (shape: StepShape): DrawTerms => {
    if (dropBP.options.rate !== undefined) return { costs: branchFlops(runnable, shape) };
    return solveBudget(schedule, tuned, shape);
  };
  return {
    schedule,
    drops(step, { batch, time, prompt = 0 }, share) {
      // A process holds its share alone; everything else is the whole's, so that the draw does not depend on how it is dealt.
      const rows = dropBP.options.memory === undefined ? share?.wholeRows : share?.largestShare;
      // In eighths, as what a budget leaves is measured anew for each length of prompts.
      const eighths = Math.floor((8 * prompt) / time) / 8;
      const terms = termsOf({ batch: rows ?? batch, time, prompt: Math.floor(eighths * time) });
      const scales = schedule.gradientScales(step, terms);
      const scaled = isNested ? { parameterScales: scales } : { gradientScales: scales };
      return { dropped: schedule.draw(step, terms), ...scaled };
    },
  };
}
