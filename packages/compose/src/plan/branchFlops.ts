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

/** The batch of a step that is planned. */
export interface StepShape extends BatchShape {
  /** Tokens of each sequence in front of the first one that predicts a label: its prompt. @defaultValue 0 */
  readonly prompt?: number;
}

/** @throws Problem for what is no shape of a batch */
export function checkShape(subject: string, shape: StepShape): void {
  checkValue<unknown>('compose', `${subject}: the shape of the batch`, shape, isObject, '{ batch, time }');
  checkNumber('compose', `${subject}: batch`, shape.batch, ranges.count);
  checkNumber('compose', `${subject}: time`, shape.time, ranges.count);
  const { prompt = 0, time } = shape;
  const within = { accepts: (v: number): boolean => ranges.index.accepts(v) && v < time, expected: `0 to ${time - 1}` };
  checkNumber('compose', `${subject}: prompt`, prompt, within);
}
