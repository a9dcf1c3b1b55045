import { describe, expect, it } from 'vitest';
import { dropBP } from './dropBP.ts';
import type { DropBPOptions } from './dropBPOptions.ts';

const branches = [{ flops: 704 }, { flops: 576 }, { flops: 704 }, { flops: 576 }];
const sensitivities = [4, 1, 2, 8];
const reference = { allocation: 'reference' } as const;

describe('dropBP', () => {
  it('fills in the defaults and freezes them', () => {
    const { options } = dropBP({ rate: 0.5 });
    const byDepth = { rate: 0.5, minRate: 0, calibration: false, sampling: 'nested', allocation: 'depth', seed: 526 };
    expect(options).toEqual(byDepth);
    const { options: theirs } = dropBP({ rate: 0.5, allocation: 'reference' });
    expect(theirs).toEqual({
      ...byDepth,
      calibration: { at: 0.1 },
      sampling: 'reference',
      allocation: 'reference',
    });
    expect([options, theirs, theirs.calibration].every(Object.isFrozen)).toBe(true);
    expect(dropBP({ rate: 0.5, allocation: 'minimax' }).options.maxRate).toBe(0.9);
  });

  it.each<[DropBPOptions, string]>([
    [{ rate: 0.5, schedule: { warmup: 0.1 }, rescale: true, seed: 3 }, 'depth'],
    [{ rate: 0.5, only: 'mlp' }, 'reference'],
    [{ rate: 0.5, sampling: 'nested' }, 'depth'],
    [{ timeSaved: 0.2 }, 'depth'],
    [{ rate: 0.5, sampling: 'pivotal' }, 'reference'],
    [{ rate: 0.5, minRate: 0.1 }, 'reference'],
    [{ rate: 0.5, calibration: {} }, 'reference'],
    [{ rate: 0.5, calibration: false }, 'reference'],
    [{ rate: 0.5, sensitivities }, 'reference'],
    [{ memory: '1GiB' }, 'reference'],
  ])('allocates for %j by %s', (options, allocation) => {
    expect(dropBP(options).options.allocation).toBe(allocation);
  });

  it.each<[DropBPOptions, string]>([
    [{ rate: 0.5 }, 'nested'],
    [{ rate: 0.5, allocation: 'reference' }, 'reference'],
    [{ rate: 0.5, allocation: 'minimax' }, 'pivotal'],
    [{ timeSaved: 0.1, allocation: 'quadratic' }, 'pivotal'],
    [{ rate: 0.5, allocation: 'linear' }, 'pivotal'],
    [{ rate: 0.5, allocation: 'linear', sampling: 'reference' }, 'reference'],
    [{ memory: '1GiB' }, 'pivotal'],
  ])('draws for %j by %s', (options, sampling) => {
    expect(dropBP(options).options.sampling).toBe(sampling);
  });

  it.each([
    ['4GiB', 2 ** 32],
    [' 1.5 kB ', 1500],
    ['4000000000', 4e9],
    [4e9, 4e9],
  ])('takes a memory of %j', (memory, bytes) => {
    expect(dropBP({ memory }).options.memory).toBe(bytes);
  });

  it('meets the budget of an exact allocation on average, however small', () => {
    const schedule = dropBP({ rate: 0.1, allocation: 'minimax', sensitivities }).start(branches);
    let dropped = 0;
    for (let step = 0; step < 4000; step++) {
      schedule.draw(step).forEach((isDropped, i) => (dropped += isDropped ? branches[i]!.flops : 0));
    }
    expect(dropped / 4000 / 2560).toBeCloseTo(0.1, 2);
  });

  it('refuses a model of which no branch leads to anything trainable', () => {
    const idle = branches.map(branch => ({ ...branch, leads: false, trains: false }));
    expect(() => dropBP({ rate: 0.5 }).start(idle)).toThrow('no branch leads to anything trainable');
    const kinds = branches.map((branch, i) => ({ ...branch, kind: 'mlp' as const, leads: i > 0 }));
    expect(() => dropBP({ rate: 0.5, only: 'attention' }).start(kinds)).toThrow("no branch of kind 'attention' leads");
  });

  it.each([
    [{}, 'how much to drop is not said; expected one of rate, timeSaved and memory; start with rate: 0.5.'],
    [{ rate: 1 }, 'rate is not usable; got 1'],
    [{ rate: 0.5, minRate: 0.6 }, 'minRate is not usable; got 0.6; expected a number in [0, 0.5]'],
    [{ rate: 0.97, minRate: 0.95 }, 'minRate is not usable; got 0.95; expected a number in [0, 0.9]'],
    [{ rate: 0.5, seed: -1 }, 'seed is not usable; got -1; expected an integer in [0, 2^32)'],
    [{ rate: 0.5, seed: 0.5 }, 'seed is not usable; got 0.5'],
    [
      { rate: 0.5, sampling: 'pivot' },
      'sampling is unknown; got "pivot"; expected one of reference, bernoulli, pivotal, nested; did you mean \'pivotal\'?',
    ],
    [{ rate: 0.5, allocation: 'x' }, 'allocation is unknown; got "x"'],
    [
      { rate: 0.5, calibration: true },
      'calibration is not usable; got true; expected { at?, every?, samples? } or false',
    ],
    [{ rate: 0.5, calibration: null }, 'calibration is not usable; got null'],
    [{ rate: 0.5, calibration: [] }, 'calibration is not usable; got []'],
    [{ rate: 0.5, rescale: [] }, 'rescale is not usable; got []'],
    [{ rate: 0.5, calibration: 'late' }, 'calibration is not usable; got "late"'],
    [{ rate: 0.5, calibration: { every: 0 } }, 'calibration.every is not usable; got 0; expected an integer ≥ 1'],
    [{ rate: 0.5, calibration: { samples: 1.5 } }, 'calibration.samples is not usable; got 1.5'],
    [{ rate: 0.5, timeSaved: 0.2 }, 'rate and timeSaved are given; expected one of rate, timeSaved and memory'],
    [{ timeSaved: 1 }, 'timeSaved is not usable; got 1; expected a number in (0, 1); start with timeSaved: 0.25.'],
    [{ memory: '4' }, 'memory is not usable; got "4"; expected bytes, or a number with one of B'],
    [{ memory: '4 gigs' }, 'memory is not usable; got "4 gigs"; expected bytes, or a number with one of B, kB'],
    [{ memory: 0 }, 'memory is not usable; got 0'],
    [
      { memory: '4GiB', sampling: 'bernoulli' },
      "sampling 'bernoulli' can keep too much in a step for a budget of memory",
    ],
    [{ timeSaved: 0.2, schedule: { warmup: 0.1 } }, 'schedule moves a rate; got {"timeSaved":0.2}; give rate'],
    [{ rate: 0.5, schedule: 'ramp' }, 'schedule is not usable; got "ramp"; expected { warmup?, ramp?, from? }'],
    [{ rate: 0.5, schedule: { warmup: 0.6, ramp: 0.5 } }, 'schedule.warmup and schedule.ramp are longer than the run'],
    [{ rate: 0.5, schedule: { from: 0.1 } }, 'schedule.from has no effect without schedule.ramp; got 0.1'],
    [{ rate: 0.5, schedule: { steps: 3 } }, "schedule does not know the option 'steps'"],
    [{ rate: 0.5, rescale: 2 }, 'rescale is not usable; got 2; expected true, false or { max }'],
    [{ rate: 0.5, rescale: { max: 0.5 } }, 'rescale.max is not usable; got 0.5; expected a number ≥ 1'],
    [{ rate: 0.5, only: 'heads' }, 'only is unknown; got "heads"; expected one of attention, mlp'],
    [{ rate: 0.5, sensitivities: [1, -1] }, 'sensitivities[1] is not usable; got -1'],
    [{ rate: 0.5, calibration: { at: 1 } }, 'calibration.at is not usable; got 1; expected a number in [0, 1)'],
    [{ rate: 0.5, calibration: { when: 1 } }, "calibration does not know the option 'when'"],
    [{ rate: 0.5, maxRate: 0.8 }, "maxRate has no effect on allocation 'reference', whose rates end at 0.9; got 0.8"],
    [{ rate: 0.5, maxRate: 1.2, allocation: 'linear' }, 'maxRate is not usable; got 1.2; expected a number in [0, 1]'],
    [{ rate: 0.5, minRate: 0.1, calibration: false }, 'minRate would have no effect with calibration: false'],
    [
      { rate: 0.5, maxRate: 0.8, allocation: 'linear', calibration: false },
      'maxRate and allocation would have no effect',
    ],
    [{ rate: 0.5, p: 1 }, "dropBP() does not know the option 'p'"],
  ])('refuses %j', (options, message) => {
    expect(() => dropBP(options as DropBPOptions)).toThrow(`[@dropbp/dropbp] ${message}`);
  });

  it('refuses branches that it cannot start on, before the run has cost anything', () => {
    expect(() => dropBP({ rate: 0.5 }).start([])).toThrow('there is no branch to drop');
    expect(() => dropBP({ rate: 0.5 }).start([{ flops: NaN }])).toThrow('the FLOPs of branches[0] is not usable');
    expect(() => dropBP({ rate: 0.95, ...reference }).start(branches)).toThrow(
      'got 0.95; expected rate to be at most 0.8999',
    );
    expect(() => dropBP({ rate: 0.95, allocation: 'minimax' }).start(branches)).toThrow('rate to be at most 0.9;');
    expect(dropBP({ rate: 0.95, calibration: false }).start(branches).rates).toEqual([0.95, 0.95, 0.95, 0.95]);
  });
});

describe('budgets', () => {
  it.each([
    ['4GiB', 4 * 2 ** 30],
    [' 1.5 GB ', 1.5e9],
    ['512MiB', 512 * 2 ** 20],
    [123456, 123456],
  ])('memory %j', (memory, bytes) => {
    const { options } = dropBP({ memory });
    expect(options).toMatchObject({ memory: bytes, sampling: 'pivotal' });
    expect('rate' in options).toBe(false);
  });

  it('that are not a rate are solved elsewhere, for each draw', () => {
    const schedule = dropBP({ timeSaved: 0.3, calibration: false }).start(branches);
    expect(schedule.rates).toEqual([0, 0, 0, 0]);
    expect(() => schedule.draw(0)).toThrow(
      'the budget has not been solved to a rate for this draw; compose() does that',
    );
    schedule.draw(0, { rate: 0.6 });
    expect(schedule.rates).toEqual([0.6, 0.6, 0.6, 0.6]);
    expect(() => schedule.draw(0, { rate: 1 })).toThrow('rate is not usable; got 1');
  });

  it('count what a draw costs, where that is given', () => {
    const schedule = dropBP({ rate: 0.5, allocation: 'quadratic' }).start(branches);
    schedule.calibrate([1, 1, 1, 1]);
    const costs = [100, 300, 100, 300];
    schedule.draw(0, { costs });
    expect(schedule.rates[1]!).toBeGreaterThan(schedule.rates[0]!);
    expect(schedule.rates.reduce((sum, rate, i) => sum + rate * costs[i]!, 0)).toBeCloseTo(400, 9);
    expect(() => schedule.draw(0, { costs: [1] })).toThrow('costs and the branches of this model describe different');
  });

  it('know the largest rate', () => {
    const largest = (options: Partial<DropBPOptions>): number => dropBP({ rate: 0.1, ...options }).start(branches).largestRate(); // prettier-ignore
    expect(largest({ calibration: false })).toBe(1);
    expect(largest({ allocation: 'minimax', maxRate: 0.8 })).toBeCloseTo(0.8, 12);
    expect(largest(reference)).toBeCloseTo(0.9, 3);
    expect(largest({})).toBeCloseTo(1 - 576 / 2560, 12);
  });
});
