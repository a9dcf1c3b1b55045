import type { NumberRange } from '@dropbp/basics';

/** A factor. */
export const isAboveZero: NumberRange = { accepts: v => v > 0 && v < Infinity, expected: 'a number above 0' };
/** A share of labels that are taken for swapped. */
export const isShare: NumberRange = { accepts: v => v >= 0 && v < 0.5, expected: 'a number from 0 to below 0.5' };
/** A weight that may be left out. */
export const isWeight: NumberRange = { accepts: v => v >= 0 && v < Infinity, expected: 'a number ≥ 0' };
