import { describe, expect, it } from 'vitest';
import { dropBP, type DropBPOptions } from './dropBP.ts';

const branches = [{ flops: 704 }, { flops: 576 }, { flops: 704 }, { flops: 576 }];
const sensitivities = [4, 1, 2, 8];

describe('dropBP', () => {
  it('fills in the defaults and freezes them', () => {
    const { options } = dropBP({ rate: 0.5 });
    expect(options).toEqual({
      rate: 0.5,
      minRate: 0,
      calibration: { at: 0.1 },
      sampling: 'reference',
      allocation: 'reference',
      seed: 526,
    });
    expect(Object.isFrozen(options) && Object.isFrozen(options.calibration)).toBe(true);
    expect(dropBP({ rate: 0.5, allocation: 'minimax' }).options.maxRate).toBe(0.9);
  });

  it.each([
    [{}, 'rate is not usable; got undefined; expected a number in [0, 1); start with rate: 0.5.'],
    [{ rate: 1 }, 'rate is not usable; got 1'],
    [{ rate: 0.5, minRate: 0.6 }, 'minRate is not usable; got 0.6; expected a number in [0, 0.5]'],
    [{ rate: 0.97, minRate: 0.95 }, 'minRate is not usable; got 0.95; expected a number in [0, 0.9]'],
    [{ rate: 0.5, seed: -1 }, 'seed is not usable; got -1; expected an integer in [0, 2^32)'],
    [{ rate: 0.5, seed: 0.5 }, 'seed is not usable; got 0.5'],
    [
      { rate: 0.5, sampling: 'pivot' },
      'sampling is unknown; got "pivot"; expected one of reference, bernoulli, pivotal; did you mean \'pivotal\'?',
    ],
    [{ rate: 0.5, allocation: 'x' }, 'allocation is unknown; got "x"'],
    [{ rate: 0.5, calibration: true }, 'calibration is not usable; got true; expected { at } or false'],
    [{ rate: 0.5, calibration: null }, 'calibration is not usable; got null'],
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
    expect(() => dropBP({ rate: 0.95 }).start(branches)).toThrow('got 0.95; expected rate to be at most 0.8999');
    expect(() => dropBP({ rate: 0.95, allocation: 'minimax' }).start(branches)).toThrow('rate to be at most 0.9;');
    expect(dropBP({ rate: 0.95, calibration: false }).start(branches).rates).toEqual([0.95, 0.95, 0.95, 0.95]);
  });
});

describe('a drop schedule', () => {
  it('is uniform until it is calibrated', () => {
    const schedule = dropBP({ rate: 0.5 }).start(branches);
    expect(schedule.rates).toEqual([0.5, 0.5, 0.5, 0.5]);
    expect(schedule.sensitivities).toBeUndefined();
    schedule.calibrate(sensitivities);
    expect(schedule.rates).toEqual([0.3, 0.9, 0.7, 0.1].map(rate => expect.closeTo(rate, 5) as number));
    expect(schedule.sensitivities).toEqual(sensitivities);
  });

  it('calibrates at a tenth of the steps, and never in the first', () => {
    const at = (totalSteps: number, options: Partial<DropBPOptions> = {}) =>
      dropBP({ rate: 0.5, ...options })
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
    expect(() => calibrate({ rate: 0.5 }, [1, 2])).toThrow(
      'sensitivities and flops describe different branches; got 2',
    );
    expect(() => calibrate({ rate: 0.5 }, [1, 2, NaN, 1])).toThrow('sensitivities[2] is not usable; got NaN');
  });

  it('is as it was when its sensitivities are refused', () => {
    const schedule = dropBP({ rate: 0.5 }).start(branches);
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
    [null, 'this is no state of a drop schedule; got null; expected { options, rates, sensitivities }'],
    [{ rates: [] }, 'this is no state of a drop schedule'],
    [{ step: 1 }, "the state of a drop schedule does not know the option 'step'"],
    [{ rates: [0.5] }, 'rates and the branches of this model describe different branches; got 1; expected 4'],
    [{ rates: [0.5, 0.5, 0.5, 2] }, 'rates[3] is not usable; got 2; expected a number in [0, 1]'],
    [{ rates: 'x' }, 'rates is not a list; got "x"'],
    [{ sensitivities: [1] }, 'sensitivities and the branches of this model describe different branches; got 1'],
    [{ sensitivities: [1, 2, 3, null] }, 'sensitivities[3] is not usable; got null'],
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
