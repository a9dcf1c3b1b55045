import type { NumberRange } from '@dropbp/basics';

/** What bounds a norm: Infinity bounds nothing. */
export const positive: NumberRange = { accepts: v => v > 0, expected: 'a number > 0, or Infinity' };
