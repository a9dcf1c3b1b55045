import type { BatchShape, Runnable } from '@dropbp/core';

/**
 * FLOPs of each branch's forward pass in a batch of this shape: what a `rate` is a share of.
 *
 * @param shape - without the virtual tokens of an adapter, which are counted as well
 */
export function branchFlops(
  { model, virtualTokens = 0 }: Pick<Runnable, 'model' | 'virtualTokens'>,
  { batch, time }: BatchShape,
): number[] {
  return model.branches.map(branch => branch.flops({ batch, time: time + virtualTokens }));
}
