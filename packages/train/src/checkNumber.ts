import { problem } from '@dropbp/basics';

/** Numbers that an option accepts, and how to say so. */
export interface Range {
  readonly accepts: (value: number) => boolean;
  readonly expected: string;
}

export const nonNegative: Range = { accepts: v => v >= 0 && v < Infinity, expected: 'a finite number ≥ 0' };
export const positive: Range = { accepts: v => v > 0, expected: 'a number > 0, or Infinity' };
export const share: Range = { accepts: v => v >= 0 && v <= 1, expected: 'a number in [0, 1]' };
export const decay: Range = { accepts: v => v >= 0 && v < 1, expected: 'a number in [0, 1)' };
export const count: Range = { accepts: v => Number.isInteger(v) && v >= 1, expected: 'an integer ≥ 1' };

/** @throws Problem naming the option, where its value is no number of the range */
export function checkNumber(name: string, value: unknown, { accepts, expected }: Range, fix?: string): void {
  if (typeof value === 'number' && accepts(value)) return;
  throw problem('train', { what: `${name} is not usable`, got: value, expected, ...(fix !== undefined && { fix }) });
}
