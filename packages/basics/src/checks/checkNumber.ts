import { checkValue } from './checkValue.ts';

/** Which numbers are accepted, and how an error names them. */
export interface NumberRange {
  /** Whether a number lies in it. */
  readonly accepts: (value: number) => boolean;
  /** What an error says was expected: `'an integer ≥ 1'`. */
  readonly expected: string;
}

/** The ranges that options are mostly of. */
export const ranges: Readonly<
  Record<'share' | 'shareBelowOne' | 'nonNegative' | 'integer' | 'index' | 'count', NumberRange>
> = {
  share: { accepts: v => v >= 0 && v <= 1, expected: 'a number in [0, 1]' },
  shareBelowOne: { accepts: v => v >= 0 && v < 1, expected: 'a number in [0, 1)' },
  nonNegative: { accepts: v => v >= 0 && v < Infinity, expected: 'a finite number ≥ 0' },
  integer: { accepts: v => Number.isSafeInteger(v), expected: 'an integer' },
  index: { accepts: v => Number.isSafeInteger(v) && v >= 0, expected: 'an integer ≥ 0' },
  count: { accepts: v => Number.isSafeInteger(v) && v >= 1, expected: 'an integer ≥ 1' },
};

/**
 * Refuses what is no number, or none of the range.
 *
 * @param packageName - the package that speaks, without its scope
 * @param name - what the error calls the value: that of the option
 * @param fix - what the reader can do about it
 * @throws Problem naming the value and the range
 */
export function checkNumber(
  packageName: string,
  name: string,
  value: unknown,
  { accepts, expected }: NumberRange,
  fix?: string,
): asserts value is number {
  checkValue(packageName, name, value, v => typeof v === 'number' && accepts(v), expected, fix);
}
