import { problem } from '@dropbp/basics';

/** A rule for numbers: which are accepted, and how an error names them. */
export interface NumberRule {
  readonly accepts: (value: number) => boolean;
  readonly expected: string;
}

export const share: NumberRule = { accepts: v => v >= 0 && v <= 1, expected: 'a number in [0, 1]' };
export const shareBelowOne: NumberRule = { accepts: v => v >= 0 && v < 1, expected: 'a number in [0, 1)' };
export const count: NumberRule = { accepts: v => Number.isSafeInteger(v) && v >= 0, expected: 'an integer ≥ 0' };
/** Float32 because the authors' code holds such numbers in it: what overflows there would order wrongly. */
export const amount: NumberRule = {
  accepts: v => v >= 0 && Math.fround(v) < Infinity,
  expected: 'a finite number ≥ 0 that float32 can hold',
};

/** @throws Problem when `value` is no number, or none that the rule accepts */
export function checkNumber(name: string, value: unknown, rule: NumberRule, fix?: string): asserts value is number {
  if (typeof value === 'number' && rule.accepts(value)) return;
  throw problem('dropbp', {
    what: `${name} is not usable`,
    got: value,
    expected: rule.expected,
    ...(fix !== undefined && { fix }),
  });
}

/** @throws Problem naming the first element that the rule refuses */
export function checkNumbers(name: string, values: readonly unknown[], rule: NumberRule, fix?: string): void {
  if (!Array.isArray(values)) throw problem('dropbp', { what: `${name} is not a list`, got: values });
  values.forEach((value, i) => checkNumber(`${name}[${i}]`, value, rule, fix));
}

/** @throws Problem when two lists that describe the same branches differ in length */
export function checkSameLength(name: string, values: readonly unknown[], other: string, length: number): void {
  if (values.length === length) return;
  throw problem('dropbp', {
    what: `${name} and ${other} describe different branches`,
    got: values.length,
    expected: `${length} numbers, one per branch`,
  });
}
