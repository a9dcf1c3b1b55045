import { problem } from '@dropbp/basics';
import type { GgufType } from './types/ggufTypes.ts';

const LARGEST_F16 = 65504;

/** @throws Problem for values that are not finite, or too large for a type */
export function checkValues(parameter: string, values: Float32Array, type: GgufType): void {
  let largest = 0;
  for (const value of values) {
    const size = Math.abs(value);
    if (!(size <= largest)) largest = size;
    if (!(size < Infinity)) break;
  }
  if (!Number.isFinite(largest)) {
    throw problem('export', {
      what: `the weight '${parameter}' holds NaN or infinity`,
      fix: 'training diverged: go back to an earlier checkpoint',
    });
  }
  if (type === 'F32' || type === 'BF16' || largest <= LARGEST_F16) return;
  throw problem('export', {
    what: `the weight '${parameter}' does not fit ${type}`,
    got: largest,
    expected: `values up to ${LARGEST_F16}`,
    fix: "write it as type: 'BF16' or 'F32'",
  });
}
