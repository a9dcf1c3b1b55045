import { checkNumber, checkValue, isObject, ranges } from '@dropbp/basics';
import type { BatchShape } from '@dropbp/core';

/** @throws Problem for what is no shape of a batch */
export function checkShape(of: string, shape: BatchShape): void {
  checkValue<unknown>('compose', `${of}: the shape of the batch`, shape, isObject, '{ batch, time }');
  checkNumber('compose', `${of}: batch`, shape.batch, ranges.count);
  checkNumber('compose', `${of}: time`, shape.time, ranges.count);
}
