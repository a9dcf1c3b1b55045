import { asRunnable, type BatchShape, type Subject } from '@dropbp/core';
import { checkNumber, checkValue, isObject, ranges } from '@dropbp/basics';

/**
 * FLOPs of each branch's forward pass in a batch of this shape: what a `rate` is a share of.
 *
 * @param shape - without the virtual tokens of an adapter, which are counted as well
 */
export function branchFlops(subject: Subject, { batch, time }: BatchShape): number[] {
  const { model, virtualTokens = 0 } = asRunnable(subject);
  return model.branches.map(branch => branch.flops({ batch, time: time + virtualTokens }));
}

/** @throws Problem for what is no shape of a batch */
export function checkShape(subject: string, shape: BatchShape): void {
  checkValue<unknown>('compose', `${subject}: the shape of the batch`, shape, isObject, '{ batch, time }');
  checkNumber('compose', `${subject}: batch`, shape.batch, ranges.count);
  checkNumber('compose', `${subject}: time`, shape.time, ranges.count);
}
