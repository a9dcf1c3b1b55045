import { describe, expect, it } from 'vitest';
import { checkNumber, ranges } from './checkNumber.ts';

describe('checkNumber', () => {
  it('names the value, the range and what to do', () => {
    expect(() => checkNumber('x', 'rank', 0, ranges.count, 'start with rank: 8')).toThrow(
      '[@dropbp/x] rank is not usable; got 0; expected an integer ≥ 1; start with rank: 8.',
    );
    expect(() => checkNumber('x', 'rank', undefined, ranges.count)).toThrow(
      '[@dropbp/x] rank is not usable; got undefined; expected an integer ≥ 1.',
    );
  });

  it('takes a numeral for no number', () => {
    expect(() => checkNumber('x', 'rank', '8', ranges.count)).toThrow('got "8"');
  });

  it.each([
    ['share', [0, 0.5, 1], [-0.1, 1.1, NaN, Infinity]],
    ['shareBelowOne', [0, 0.99], [-0.1, 1, NaN]],
    ['nonNegative', [0, 1e300], [-1e-9, Infinity, NaN]],
    ['integer', [-3, 0, 2 ** 53 - 1], [0.5, 2 ** 53, NaN, Infinity]],
    ['index', [0, 2 ** 53 - 1], [-1, 0.5, 2 ** 53, NaN]],
    ['count', [1, 2 ** 53 - 1], [0, 1.5, 2 ** 53, Infinity, NaN]],
  ] as const)('%s', (name, accepted, refused) => {
    for (const value of accepted) expect(() => checkNumber('x', name, value, ranges[name])).not.toThrow();
    for (const value of refused)
      expect(() => checkNumber('x', name, value, ranges[name])).toThrow(ranges[name].expected);
  });
});
