import { describe, expect, it } from 'vitest';
import { dropBP } from './dropBP.ts';
import type { DropBPOptions } from './dropBPOptions.ts';

const branches = [{ flops: 704 }, { flops: 576 }, { flops: 704 }, { flops: 576 }];
const sensitivities = [4, 1, 2, 8];
const reference = { allocation: 'reference' } as const;

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

  it('says that the ramp begins too high, and not the rate', () => {
    const ramp = (from: number) => dropBP({ rate: 0.5, ...reference, schedule: { ramp: 0.5, from } }).start(branches);
    expect(() => ramp(0.95)).toThrow('schedule.from is out of reach, as a rate would be: [@dropbp/dropbp] the rates');
    expect(ramp(0.8).calibrates).toBe(true);
    // A rate of 0 that is come down to.
    const down = dropBP({ rate: 0, ...reference, schedule: { ramp: 1, from: 0.8 } }).start(branches);
    expect([down.calibrates, down.calibrationStep(100)]).toEqual([true, 10]);
  });

  it('refuses what it cannot read', () => {
    const schedule = dropBP({ rate: 0.5 }).start(branches);
    expect(() => dropBP({ rate: 0.5 }).start(undefined as never)).toThrow('start(): branches is not usable');
    expect(() => schedule.draw(0, { cost: [1] } as never)).toThrow("draw() does not know the option 'cost'");
  });

  it('leaves depth for a budget of time that it does not come to', () => {
    const start = (rate: number) => dropBP({ timeSaved: 0.3 }).start(branches, rate).options;
    expect(start(0.3)).toMatchObject({ allocation: 'depth', sampling: 'nested' });
    expect(start(0.9)).toMatchObject({ allocation: 'reference', sampling: 'pivotal' });
    expect(dropBP({ timeSaved: 0.3, allocation: 'depth' }).start(branches, 0.9).options.allocation).toBe('depth');
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
