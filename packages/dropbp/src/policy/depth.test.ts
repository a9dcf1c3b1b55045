import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { depthRates, leastDropped } from '../rates/depthRates.ts';
import { dropBP } from './dropBP.ts';
import type { DropBPOptions } from './dropBPOptions.ts';

const branches = (flops: readonly number[], trains: (i: number) => boolean = () => true) =>
  flops.map((own, i) => ({ flops: own, trains: trains(i) }));
const dropsOf = (
  options: DropBPOptions,
  own: ReturnType<typeof branches>,
  steps: number,
): { rates: readonly number[]; drops: boolean[][] } => {
  const schedule = dropBP(options).start(own);
  return { rates: schedule.rates, drops: Array.from({ length: steps }, (_, step) => schedule.draw(step)) };
};

/** What a run follows where the branches decide against depth. */
const even = { allocation: 'reference', sampling: 'pivotal' } as const;

describe("allocation 'depth'", () => {
  it('moves the cut by half of what is kept, where the budget and the last branch allow it', () => {
    const rates = (rate: number) => dropBP({ rate, allocation: 'depth' }).start(branches([1, 1, 1, 1])).rates;
    expect(rates(0.25)).toEqual([0.75, 0.25, 0, 0]);
    expect(rates(0.5)).toEqual([1, 0.75, 0.25, 0]);
    expect(rates(0.75)).toEqual([1, 1, 1, 0]);
    expect(() => rates(0.8)).toThrow(
      "the branches in front of the last one that is trained, which allocation 'depth' drops, do not reach the budget; got 0.8; expected at most 0.75",
    );
    const eight = dropBP({ rate: 0.5 }).start(branches([1, 1, 1, 1, 1, 1, 1, 1]));
    expect(eight.rates).toEqual([1, 1, 0.875, 0.625, 0.375, 0.125, 0, 0]);
  });

  it('keeps 1.5 times the mean at most, in every step', () => {
    for (const rate of [0.2, 0.4, 0.6, 0.85]) {
      const { drops } = dropsOf({ rate }, branches(Array.from({ length: 60 }, () => 1)), 300);
      const least = Math.min(...drops.map(dropped => dropped.filter(Boolean).length / 60));
      expect(least).toBeGreaterThanOrEqual(leastDropped(rate) - 1 / 60);
      expect(least).toBeLessThan(leastDropped(rate) + 0.05);
    }
  });

  it('meets every budget exactly, by rates that fall with depth', () => {
    const cost = fc.integer({ min: 0, max: 1000 });
    fc.assert(
      fc.property(fc.array(cost, { minLength: 2, maxLength: 40 }), fc.double({ min: 0, max: 1, noNaN: true }), (flops, share) => {
        const most = flops.slice(0, -1).reduce((a, b) => a + b, 0);
        const budget = share * most;
        const rates = depthRates({ flops, budget, most });
        expect(flops.reduce((sum, own, i) => sum + own * rates[i]!, 0)).toBeCloseTo(budget, 6);
        expect(rates.at(-1)).toBe(0);
        const ofCosting = rates.filter((_, i) => flops[i]! > 0);
        expect(ofCosting.every((rate, i) => i === 0 || rate <= ofCosting[i - 1]! + 1e-12)).toBe(true);
      }),
    ); // prettier-ignore
  });

  it('drops the lowest branches up to a cut, at its rates, a few steps alike', () => {
    const flops = [142, 270, 142, 270, 142, 270, 142, 270];
    const { rates, drops } = dropsOf({ rate: 0.5, allocation: 'depth', seed: 7 }, branches(flops), 2000);
    for (const dropped of drops) expect(dropped.lastIndexOf(true)).toBe(dropped.filter(Boolean).length - 1);
    rates.forEach((rate, i) => {
      expect(drops.filter(dropped => dropped[i]).length / drops.length).toBeCloseTo(rate, 2);
    });
    const share = (some: boolean[][]): number =>
      some.flatMap(dropped => flops.filter((_, i) => dropped[i])).reduce((a, b) => a + b, 0) / some.length / 1648;
    for (let first = 0; first + 13 <= 200; first += 13) {
      expect(Math.abs(share(drops.slice(first, first + 13)) - 0.5)).toBeLessThan(0.05);
    }
  });

  it('keeps the last branch that trains something in every step', () => {
    const own = branches([1, 1, 1, 1, 1], i => i < 3);
    const { drops } = dropsOf({ rate: 0.3, allocation: 'depth' }, own, 500);
    expect(drops.some(dropped => dropped[2])).toBe(false);
    expect(drops.some(dropped => dropped[1])).toBe(true);
    expect(() => dropsOf({ rate: 0.5, allocation: 'depth' }, own, 1)).toThrow('expected at most 0.4');
  });

  it('draws the same from a seed, and something else from another', () => {
    const of = (seed: number) =>
      dropsOf({ rate: 0.5, allocation: 'depth', seed }, branches([1, 1, 1, 1, 1, 1]), 20).drops;
    expect(of(1)).toEqual(of(1));
    expect(of(1)).not.toEqual(of(2));
  });

  it('is left, where nothing else was asked for, if it does not come to the rate', () => {
    const low = branches([1, 1, 1, 1, 1, 1], i => i < 2);
    expect(dropBP({ rate: 0.1 }).start(low).options.allocation).toBe('depth');
    for (const options of [{ rate: 0.5 }, { rate: 0.1, schedule: { ramp: 0.5, from: 0.4 } }]) {
      const schedule = dropBP(options).start(low);
      expect(schedule.options).toEqual(dropBP({ ...options, ...even }).options);
      expect(schedule.calibrationStep(100)).toBe(10);
    }
    expect(() => dropBP({ rate: 0.5, sampling: 'nested' }).start(low)).toThrow('do not reach the budget');
  });

  it('is to come to the rate with the shortest and the longest sequence, where branches weigh otherwise', () => {
    // Of four branches the last is 1/4 of all, and 1/2 in a short sequence.
    const own = [1, 1, 1, 1].map((flops, i) => ({ flops, flopsRange: [i === 3 ? 3 : 1, flops] as const }));
    expect(dropBP({ rate: 0.5 }).start(own).options.allocation).toBe('depth');
    expect(dropBP({ rate: 0.6 }).start(own).options.allocation).toBe('reference');
    expect(() => dropBP({ rate: 0.6, allocation: 'depth' }).start(own)).toThrow('expected at most 0.5');
    const short = own.map(branch => branch.flopsRange[0]);
    expect(dropBP({ rate: 0.5 }).start(own).draw(0, { costs: short })).toEqual([true, true, true, false]);
    const kinds = own.map((branch, i) => ({
      ...branch,
      kind: i % 2 === 0 ? ('attention' as const) : ('mlp' as const),
    }));
    const only = dropBP({ rate: 0.25, allocation: 'depth', only: 'mlp' }).start(kinds);
    expect(() => only.draw(0, { costs: short })).toThrow('expected at most 0.1666');
  });

  it('is left, where nothing else was asked for, if all that is trained lies in front of the branches', () => {
    const behindPrompt = branches([1, 1, 1], () => false);
    const schedule = dropBP({ rate: 0.5 }).start(behindPrompt);
    expect(schedule.options).toEqual(dropBP({ rate: 0.5, ...even }).options);
    expect(dropBP({ rate: 0.5, allocation: 'depth' }).start(behindPrompt).options.allocation).toBe('depth');
    expect(dropBP({ rate: 0.5 }).start(branches([1, 1, 1])).options.allocation).toBe('depth');
  });

  it.each([1, 2, 3])('is left for draws that keep what the rate leaves, of however few branches: %d', count => {
    // The authors' draw would drop a single one in every step, at whatever rate.
    const own = branches([1, 1, 1, 1, 1, 1].map(flops => 1000 * flops)).map((branch, i) => ({
      ...branch,
      leads: i >= 6 - count,
    }));
    const { drops } = dropsOf({ rate: 0.7 }, own, 2000);
    const dropped = drops.flat().filter(Boolean).length / (2000 * count);
    expect(Math.abs(dropped - 0.7)).toBeLessThan(0.03);
  });

  it.each([NaN, -0.1, 1.5, 'x'])('drops at least nothing that can be told at a rate of %j', rate => {
    expect(() => leastDropped(rate as number)).toThrow('rate is not usable');
  });

  it('needs no sensitivities', () => {
    const schedule = dropBP({ rate: 0.5, allocation: 'depth' }).start(branches([1, 1]));
    expect(schedule.calibrationStep(100)).toBeUndefined();
    expect(dropBP({ rate: 0.5, allocation: 'depth' }).options).toMatchObject({
      calibration: false,
      sampling: 'nested',
    });
  });

  it.each([
    [{ minRate: 0.1 }, 'minRate would have no effect with allocation'],
    [{ maxRate: 0.9 }, 'maxRate would have no effect with allocation'],
    [{ sensitivities: [1, 2] }, 'sensitivities would have no effect with allocation'],
    [{ calibration: { at: 0.1 } }, 'calibration would have no effect with allocation'],
  ] as const)('refuses %j', (change, message) => {
    expect(() => dropBP({ rate: 0.5, allocation: 'depth', ...change })).toThrow(message);
  });
});
