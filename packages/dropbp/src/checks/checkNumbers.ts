import { checkNumber, problem, type NumberRange } from '@dropbp/basics';

/** Float32 because the authors' code holds such numbers in it: what overflows there would order wrongly. */
export const amount: NumberRange = {
  accepts: v => v >= 0 && Math.fround(v) < Infinity,
  expected: 'a finite number ≥ 0 that float32 can hold',
};

/** From `least` to `most`, both included. */
export function within(least: number, most: number): NumberRange {
  return { accepts: v => v >= least && v <= most, expected: `a number in [${least}, ${most}]` };
}

/** @throws Problem naming the first element that is not in the range */
export function checkNumbers(name: string, values: readonly unknown[], range: NumberRange, fix?: string): void {
  if (!Array.isArray(values)) throw problem('dropbp', { what: `${name} is not a list`, got: values });
  // Not forEach, which passes over holes.
  for (const [i, value] of values.entries()) checkNumber('dropbp', `${name}[${i}]`, value, range, fix);
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
