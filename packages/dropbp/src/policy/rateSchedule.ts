import { checkNumber, checkOptions, isObject, problem, ranges } from '@dropbp/basics';

/**
 * How the rate moves while a run goes on: nothing is dropped during the warm-up, then the rate goes from `from` to its value in
 * a straight line, and stays there. Shares are of the planned draws.
 */
export interface RateSchedule {
  /** Share at the beginning that drops nothing. @defaultValue 0 */
  readonly warmup?: number;
  /** Share after the warm-up over which the rate moves. @defaultValue 0 */
  readonly ramp?: number;
  /** The rate at which the ramp begins: below `rate` to drop more late, above it to drop more early. @defaultValue 0 */
  readonly from?: number;
}

/** @throws Problem on shares or a rate out of range, and on `from` without a ramp */
export function readSchedule(schedule: unknown): Required<RateSchedule> {
  if (!isObject(schedule)) {
    throw problem('dropbp', { what: 'schedule is not usable', got: schedule, expected: '{ warmup?, ramp?, from? }' });
  }
  checkOptions('dropbp', 'schedule', schedule, ['warmup', 'ramp', 'from']);
  const { warmup = 0, ramp = 0, from = 0 } = schedule as RateSchedule;
  checkNumber('dropbp', 'schedule.warmup', warmup, ranges.shareBelowOne);
  checkNumber('dropbp', 'schedule.ramp', ramp, ranges.share);
  checkNumber('dropbp', 'schedule.from', from, ranges.shareBelowOne);
  if (warmup + ramp > 1) {
    throw problem('dropbp', {
      what: 'schedule.warmup and schedule.ramp are longer than the run',
      got: warmup + ramp,
      expected: 'at most 1 together',
    });
  }
  if (ramp === 0 && (schedule as RateSchedule).from !== undefined) {
    throw problem('dropbp', { what: 'schedule.from has no effect without schedule.ramp', got: from });
  }
  return Object.freeze({ warmup, ramp, from });
}

/**
 * The rate of a step.
 *
 * @param progress - share of the run that is over, in [0, 1]
 */
export function rateAt(rate: number, { warmup, ramp, from }: Required<RateSchedule>, progress: number): number {
  if (progress < warmup) return 0;
  if (progress < warmup + ramp) return from + ((rate - from) * (progress - warmup)) / ramp;
  return rate;
}

/** The highest rate that a run comes to. */
export function highestRate(rate: number, schedule: Required<RateSchedule> | undefined): number {
  return schedule === undefined || schedule.ramp === 0 ? rate : Math.max(rate, schedule.from);
}
