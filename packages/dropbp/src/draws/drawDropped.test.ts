import { describe, expect, it } from 'vitest';
import { drawDropped, type DrawDroppedOptions } from './drawDropped.ts';

const usable = { rates: [0.5, 0.5], rate: 0.5, random: () => 0.4 };

describe('drawDropped', () => {
  it('tops up to the share of branches, highest rate and earliest branch first', () => {
    const draw = (rates: number[], rate: number) => drawDropped({ rates, rate, random: () => 0.99 });
    expect(draw([0.1, 0.5, 0.5, 0.2], 0.25)).toEqual([false, true, false, false]);
    expect(draw([0.1, 0.5, 0.5, 0.2], 0.7)).toEqual([false, true, true, true]);
  });

  it('never drops at rate 0 and always at rate 1', () => {
    for (const method of ['reference', 'bernoulli', 'pivotal'] as const) {
      for (const random of [() => 0, () => 1 - 2 ** -32]) {
        expect(drawDropped({ rates: [0, 1, 0], rate: 0, random, method })).toEqual([false, true, false]);
      }
    }
  });

  it.each([
    [{ rates: [0.5, 1.5] }, 'rates[1] is not usable; got 1.5; expected a number in [0, 1]'],
    [{ rate: 50 }, 'rate is not usable; got 50; expected a number in [0, 1]'],
    [{ random: () => 1 }, 'random()[0] is not usable; got 1; expected a number in [0, 1)'],
    [{ random: () => NaN }, 'random()[0] is not usable; got NaN'],
    [{ flops: [1] }, 'flops and rates describe different branches; got 1; expected 2 numbers'],
    [{ flops: [1, -1] }, 'flops[1] is not usable; got -1'],
    [
      { method: 'pivot' },
      'method is unknown; got "pivot"; expected one of reference, bernoulli, pivotal, nested; did you mean \'pivotal\'?',
    ],
    [{ seed: 1 }, "drawDropped() does not know the option 'seed'"],
  ])('refuses %j', (change, message) => {
    expect(() => drawDropped({ ...usable, ...change } as DrawDroppedOptions)).toThrow(message);
  });
});
