import { describe, expect, it } from 'vitest';
import { allocateRates, type AllocateRatesOptions } from './allocateRates.ts';

const usable = { sensitivities: [4, 1, 2, 8], flops: [100, 200, 100, 200], rate: 0.5 };

describe('allocateRates', () => {
  it('gives the example of its documentation', () => {
    expect(allocateRates(usable)).toEqual([0.3, 0.9000001, 0.70000005, 0.1].map(Math.fround));
  });

  it('solves the exact methods by hand-checked numbers', () => {
    const rates = (method: 'minimax' | 'quadratic' | 'linear', more = {}) =>
      allocateRates({ sensitivities: [1, 2, 4], flops: [1, 1, 2], rate: 0.5, method, ...more });
    // minimax: rates t, t/2, t/4: t + t/2 + 2t/4 = 2 needs t = 1, but the first ends at 0.9, so t/2 + t/2 = 1.1.
    expect(rates('minimax')).toEqual([0.9, expect.closeTo(0.55, 12), expect.closeTo(0.275, 12)]);
    // quadratic: t·f/S = t, t/2, t/2: t + t/2 + 2t/2 = 2 needs t = 0.8.
    expect(rates('quadratic')).toEqual([0.8, 0.4, 0.4].map(rate => expect.closeTo(rate, 12) as number));
    // linear: S/f = 1, 2, 2: 0.9 for the first; of the equal others the last is filled first: 1.1 / 2.
    expect(rates('linear')).toEqual([0.9, 0, expect.closeTo(0.55, 12)]);
    expect(rates('minimax', { maxRate: 1 })).toEqual([1, expect.closeTo(0.5, 12), expect.closeTo(0.25, 12)]);
    expect(rates('linear', { minRate: 0.2 })).toEqual([0.9, 0.2, expect.closeTo(0.45, 12)]);
  });

  it('drops a branch that costs nothing for nothing', () => {
    const options = { sensitivities: [1, 100], flops: [10, 0], rate: 0.5 } as const;
    for (const method of ['minimax', 'quadratic', 'linear'] as const) {
      expect(allocateRates({ ...options, method })).toEqual([0.5, 0]);
    }
  });

  it('spreads the rates where no branch matters', () => {
    for (const method of ['minimax', 'quadratic'] as const) {
      const rates = allocateRates({ sensitivities: [0, 0], flops: [1, 3], rate: 0.5, method });
      expect(rates).toEqual([expect.closeTo(0.5, 12), expect.closeTo(0.5, 12)]);
    }
  });

  it('meets the budget where sensitivities are too far apart to divide by', () => {
    const options = {
      sensitivities: [1, 2e-308, 3e-308],
      flops: [1e38, 1e38, 1e38],
      rate: 0.5,
      method: 'minimax',
    } as const;
    expect(allocateRates(options)).toEqual([0, 0.75, 0.75]);
  });

  it.each([
    [{ sensitivities: [1, NaN, 2, 3] }, 'sensitivities[1] is not usable; got NaN; expected a finite number ≥ 0'],
    [{ sensitivities: [1, Infinity, 2, 3] }, 'sensitivities[1] is not usable; got Infinity'],
    [{ sensitivities: [1, 1e39, 2, 3] }, 'sensitivities[1] is not usable; got 1e+39'],
    [{ sensitivities: [1, -2, 2, 3] }, 'sensitivities[1] is not usable; got -2'],
    [{ sensitivities: ['1', 1, 2, 3] }, 'sensitivities[0] is not usable; got "1"'],
    [{ sensitivities: undefined }, 'sensitivities is not a list; got undefined'],
    [{ sensitivities: [1, , 2, 3] }, 'sensitivities[1] is not usable; got undefined'], // prettier-ignore
    [{ flops: [1, 1, 1, -1] }, 'flops[3] is not usable; got -1'],
    [{ flops: [1, 1, 1] }, 'sensitivities and flops describe different branches; got 4; expected 3 numbers'],
    [{ rate: 1 }, 'rate is not usable; got 1; expected a number in [0, 1)'],
    [{ rate: -0.1 }, 'rate is not usable; got -0.1'],
    [{ rate: NaN }, 'rate is not usable; got NaN'],
    [{ minRate: 1 }, 'minRate is not usable; got 1'],
    [{ minRate: -1 }, 'minRate is not usable; got -1'],
    [
      { method: 'minmax' },
      'method is unknown; got "minmax"; expected one of reference, minimax, quadratic, linear; did you mean \'minimax\'?',
    ],
    [{ method: 'toString' }, 'method is unknown; got "toString"'],
    [{ maxRate: 0.8 }, "maxRate has no effect on method 'reference', whose rates end at 0.9; got 0.8"],
    [{ maxRate: 1.1, method: 'minimax' }, 'maxRate is not usable; got 1.1; expected a number in [0, 1]'],
    [
      { maxRate: 0.2, minRate: 0.3, method: 'minimax' },
      'maxRate is not usable; got 0.2; expected a number in [0.3, 1]',
    ],
    [
      { rate: 0.2, minRate: 0.3, method: 'linear' },
      'rate is not usable; got 0.2; expected at least minRate, 0.3; lower minRate.',
    ],
    [
      { rate: 0.95, method: 'linear' },
      'the rates cannot reach the budget, all at their caps; got 0.95; expected rate to be at most 0.9; lower rate, or raise maxRate',
    ],
    [
      { rate: 0.95 },
      'expected rate to be at most 0.8999; lower rate, or let dropBP() drop every branch at the same rate',
    ],
    [
      { flops: [0.25, 0.25, 0.25, 0.25] },
      'got 0.5; expected FLOPs that add up to many whole units, as the reference cuts the budget to a whole number; give flops as counts, not as shares.',
    ],
    [{ flpos: [] }, "allocateRates() does not know the option 'flpos'"],
  ])('refuses %j', (change, message) => {
    expect(() => allocateRates({ ...usable, ...change } as AllocateRatesOptions)).toThrow(message);
  });

  it('gives no rates to no branches', () => {
    for (const method of ['reference', 'minimax', 'quadratic', 'linear'] as const) {
      expect(allocateRates({ sensitivities: [], flops: [], rate: 0.5, method })).toEqual([]);
    }
  });
});
