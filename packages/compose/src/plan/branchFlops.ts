import type { BatchShape } from '@dropbp/core';
import type { Planned } from './planStep.ts';

/** FLOPs of each branch's forward pass in a batch of this shape: what a `rate` is a share of. */
export function branchFlops(
  { model, virtualTokens = 0 }: Pick<Planned, 'model' | 'virtualTokens'>,
  { batch, time }: BatchShape,
): number[] {
  return model.branches.map(branch => branch.flops({ batch, time: time + virtualTokens }));
}
