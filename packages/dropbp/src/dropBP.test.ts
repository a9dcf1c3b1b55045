import { describe, expect, it } from 'vitest';
import { dropBP, type DropBPOptions } from './dropBP.ts';

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

describe('branches that take part', () => {
  const kinds = branches.map((branch, i) => ({ ...branch, kind: i % 2 === 0 ? ('attention' as const) : ('mlp' as const) })); // prettier-ignore
  const all = 704 + 576 + 704 + 576;

  it('are those of one kind, if asked for; the budget counts all', () => {
    const schedule = dropBP({ rate: 0.3, only: 'mlp', calibration: false }).start(kinds);
    const rate = (0.3 * all) / (2 * 576);
    expect(schedule.rates).toEqual([0, expect.closeTo(rate, 12), 0, expect.closeTo(rate, 12)]);
    for (let step = 0; step < 50; step++) expect(schedule.draw(step).filter((_, i) => i % 2 === 0)).toEqual([false, false]); // prettier-ignore
    const reachable = (0.9 * 2 * 576) / all;
    expect(() => dropBP({ rate: 0.5, only: 'mlp', allocation: 'minimax' }).start(kinds)).toThrow(
      `the branches that may be dropped do not reach the budget; got 0.5; expected at most ${Math.floor(reachable * 1e4) / 1e4}`,
    );
    expect(() => dropBP({ rate: 0.1, only: 'mlp' }).start(branches)).toThrow(
      "only: 'mlp' needs the kind of each branch",
    );
  });

  it('are those that lead to something trainable; others cost nothing', () => {
    const upper = branches.map((branch, i) => ({ ...branch, leads: i >= 2 }));
    const schedule = dropBP({ rate: 0.5, ...reference }).start(upper);
    expect(schedule.rates).toEqual([0, 0, 0.5, 0.5]);
    schedule.calibrate([0, 0, 1, 1]);
    expect(schedule.rates.slice(0, 2)).toEqual([0, 0]);
    expect(schedule.rates.slice(2).reduce((sum, rate, i) => sum + rate * [704, 576][i]!, 0)).toBeGreaterThan(
      0.49 * 1280,
    );
    expect(schedule.draw(3).slice(0, 2)).toEqual([false, false]);
  });
});

describe('a drop schedule', () => {
  it('moves its rate: a warm-up without drops, then a ramp', () => {
    const at = (schedule: DropBPOptions['schedule'], steps: number[]): number[] => {
      const run = dropBP({ rate: 0.5, calibration: false, schedule: schedule! }).start(branches);
      run.plan(100);
      return steps.map(step => {
        run.draw(step);
        return run.rates[0]!;
      });
    };
    expect(at({ warmup: 0.1 }, [0, 9, 10, 99])).toEqual([0, 0, 0.5, 0.5]);
    const rounded = (rates: number[]): number[] => rates.map(rate => Number(rate.toFixed(9)));
    expect(rounded(at({ warmup: 0.1, ramp: 0.4 }, [9, 10, 30, 50, 99]))).toEqual([0, 0, 0.25, 0.5, 0.5]);
    expect(rounded(at({ ramp: 1, from: 0.8 }, [0, 50]))).toEqual([0.8, 0.65]);
    const unplanned = dropBP({ rate: 0.5, schedule: { ramp: 0.5 } }).start(branches);
    expect(() => unplanned.draw(0)).toThrow('the rate moves, and it is not known over how many draws');
    expect(() => dropBP({ rate: 0.5, schedule: { ramp: 0.5, from: 0.95 } }).start(branches)).toThrow('got 0.95');
  });

  it('keeps minRate below a rate that moves', () => {
    const run = dropBP({ rate: 0.5, minRate: 0.2, schedule: { ramp: 1 }, allocation: 'minimax' }).start(branches);
    run.plan(100);
    run.calibrate(sensitivities);
    run.draw(20);
    expect(run.rates).toEqual([0.1, 0.1, 0.1, 0.1]);
    run.draw(80);
    expect(Math.min(...run.rates)).toBe(0.2);
  });

  it('scales kept branches up to be right on average, capped', () => {
    const scales = (rescale: DropBPOptions['rescale'], rate = 0.5): readonly number[] | undefined =>
      dropBP({ rate, calibration: false, rescale: rescale! }).start(branches).gradientScales(0);
    expect(scales(false)).toBeUndefined();
    expect(scales(true)).toEqual([2, 2, 2, 2]);
    expect(scales(true, 0.9)).toEqual([4, 4, 4, 4]);
    expect(scales({ max: 8 }, 0.9)).toEqual([8, 8, 8, 8]);
  });

  it('is calibrated again every so often', () => {
    const run = dropBP({ rate: 0.5, calibration: { at: 0.1, every: 30 } }).start(branches);
    const steps = Array.from({ length: 100 }, (_, i) => i).filter(step => run.isCalibrationStep(step, 100));
    expect(steps).toEqual([10, 40, 70]);
    const once = dropBP({ rate: 0.5, ...reference }).start(branches);
    expect([9, 10, 11].map(step => once.isCalibrationStep(step, 100))).toEqual([false, true, false]);
    const never = dropBP({ rate: 0.5, calibration: false }).start(branches);
    expect(never.isCalibrationStep(10, 100)).toBe(false);
  });

  it('begins with the sensitivities of an earlier run', () => {
    const policy = dropBP({ rate: 0.5, sensitivities });
    expect(policy.options.calibration).toBe(false);
    const schedule = policy.start(branches);
    const other = dropBP({ rate: 0.5, ...reference }).start(branches);
    other.calibrate(sensitivities);
    expect(schedule.rates).toEqual(other.rates);
    expect(schedule.sensitivities).toEqual(sensitivities);
    expect(() => policy.start(branches.slice(1))).toThrow(
      'sensitivities and the branches of this model describe different',
    );
    const again = dropBP({ rate: 0.5, sensitivities, calibration: { at: 0.5 } }).start(branches);
    expect(again.calibrationStep(10)).toBe(5);
  });

  it('is uniform until it is calibrated', () => {
    const schedule = dropBP({ rate: 0.5, ...reference }).start(branches);
    expect(schedule.rates).toEqual([0.5, 0.5, 0.5, 0.5]);
    expect(schedule.sensitivities).toBeUndefined();
    schedule.calibrate(sensitivities);
    expect(schedule.rates).toEqual([0.3, 0.9, 0.7, 0.1].map(rate => expect.closeTo(rate, 5) as number));
    expect(schedule.sensitivities).toEqual(sensitivities);
  });

  it('calibrates at a tenth of the steps, and never in the first', () => {
    const at = (totalSteps: number, options: Partial<DropBPOptions> = {}) =>
      dropBP({ rate: 0.5, ...reference, ...options })
        .start(branches)
        .calibrationStep(totalSteps);
    expect([25_000, 10, 19, 9, 1, 0].map(total => at(total))).toEqual([2500, 1, 1, undefined, undefined, undefined]);
    expect(at(10, { calibration: { at: 0.55 } })).toBe(5);
    expect(at(10, { calibration: { at: 0 } })).toBe(0);
    expect(at(0, { calibration: { at: 0 } })).toBeUndefined();
    expect(at(1000, { calibration: false })).toBeUndefined();
    expect(at(1000, { rate: 0 })).toBeUndefined();
    expect(() => at(0.5)).toThrow('totalSteps is not usable; got 0.5; expected an integer ≥ 0');
  });

  it('refuses sensitivities that no one asked for, or that are of no use', () => {
    const calibrate = (options: DropBPOptions, values = sensitivities) =>
      dropBP(options).start(branches).calibrate(values);
    const idle = 'there are no rates to allocate: calibration is off or rate is 0';
    expect(() => calibrate({ rate: 0.5, calibration: false })).toThrow(idle);
    expect(() => calibrate({ rate: 0 })).toThrow(idle);
    expect(() => calibrate({ rate: 0.5 })).toThrow(idle);
    expect(() => calibrate({ rate: 0.5, ...reference }, [1, 2])).toThrow(
      'sensitivities and flops describe different branches; got 2',
    );
    expect(() => calibrate({ rate: 0.5, ...reference }, [1, 2, NaN, 1])).toThrow(
      'sensitivities[2] is not usable; got NaN',
    );
  });

  it('is as it was when its sensitivities are refused', () => {
    const schedule = dropBP({ rate: 0.5, ...reference }).start(branches);
    schedule.calibrate(sensitivities);
    const before = schedule.state;
    expect(() => schedule.calibrate([1, 2, 3, -4])).toThrow('sensitivities[3] is not usable; got -4');
    expect(schedule.state).toEqual(before);
  });

  it('drops nothing at rate 0', () => {
    const schedule = dropBP({ rate: 0 }).start(branches);
    for (let step = 0; step < 100; step++) expect(schedule.draw(step)).toEqual([false, false, false, false]);
  });

  it.each([
    [null, 'this is no state of a drop schedule; got null; expected { options, rates, sensitivities, totalSteps }'],
    [{ rates: [] }, 'this is no state of a drop schedule'],
    [{ step: 1 }, "the state of a drop schedule does not know the option 'step'"],
    [{ rates: [0.5] }, 'rates and the branches of this model describe different branches; got 1; expected 4'],
    [{ rates: [0.5, 0.5, 0.5, 2] }, 'rates[3] is not usable; got 2; expected a number in [0, 1]'],
    [{ rates: 'x' }, 'rates is not a list; got "x"'],
    [{ sensitivities: [1] }, 'sensitivities and the branches of this model describe different branches; got 1'],
    [{ sensitivities: [1, 2, 3, null] }, 'sensitivities[3] is not usable; got null'],
    [{ totalSteps: -1 }, 'totalSteps is not usable; got -1'],
    [{ options: null }, 'the checkpoint was made with another rate and another minRate'],
  ])('refuses the state %j', (change, message) => {
    const schedule = dropBP({ rate: 0.5 }).start(branches);
    const isWhole = change !== null && !('rates' in change && change.rates.length === 0);
    const state = isWhole ? { ...schedule.state, ...change } : change;
    expect(() => schedule.restore(state)).toThrow(message);
  });

  it('refuses to go on with other options', () => {
    const { state } = dropBP({ rate: 0.5 }).start(branches);
    const other = dropBP({ rate: 0.75, seed: 1 }).start(branches);
    expect(() => other.restore(state)).toThrow(
      'the checkpoint was made with another rate and another seed; got {"rate":0.5,',
    );
  });
});
