import { sum } from '@dropbp/basics';
import { leadsToTrainable, type BatchShape, type Runnable } from '@dropbp/core';
import type { Division } from '../pass/divide/divideBatch.ts';
import { branchFlops } from './branchFlops.ts';

/** What the branches of a pass cost. */
export interface DropFlops {
  /** FLOPs of the branches that lead to something trainable, forward: what a drop rate is a share of. */
  readonly flops: number;
  /** Those among them whose backward pass was dropped: of dropped branches, and of dropped prompts. */
  readonly droppedFlops: number;
}

/** Counts the FLOPs of passes by what they drop. */
export function countDropFlops(
  runnable: Runnable,
): (shape: BatchShape, dropped: readonly boolean[], division?: Pick<Division, 'flops'>) => DropFlops {
  const leads = leadsToTrainable(runnable);
  return (shape, dropped, division) => {
    const { front, rest } = division?.flops ?? { front: [], rest: branchFlops(runnable, shape) };
    const ofLeading = (flops: readonly number[]): readonly number[] => flops.filter((_, i) => leads[i] === true);
    const ofFront = sum(ofLeading(front));
    const ofDropped = sum(rest.filter((_, i) => leads[i] === true && dropped[i] === true));
    return { flops: ofFront + sum(ofLeading(rest)), droppedFlops: ofFront + ofDropped };
  };
}
