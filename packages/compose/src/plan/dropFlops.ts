import { sum } from '@dropbp/basics';
import { leadsToTrainable, type BatchShape, type Runnable } from '@dropbp/core';
import { branchFlops } from './branchFlops.ts';

/** What the branches of a pass cost. */
export interface DropFlops {
  /** FLOPs of the branches that lead to something trainable, forward: what a drop rate is a share of. */
  readonly flops: number;
  /** Those of the branches among them whose backward pass was dropped. */
  readonly droppedFlops: number;
}

/** Counts the FLOPs of passes by what they drop. */
export function countDropFlops(runnable: Runnable): (shape: BatchShape, dropped: readonly boolean[]) => DropFlops {
  const leads = leadsToTrainable(runnable);
  return (shape, dropped) => {
    const flops = branchFlops(runnable, shape).map((cost, i) => (leads[i] === true ? cost : 0));
    return { flops: sum(flops), droppedFlops: sum(flops.filter((_, i) => dropped[i] === true)) };
  };
}
