import { checkNumber, checkOptions, isObject, problem, ranges } from '@dropbp/basics';

/** When sensitivities are measured, and on how much. */
export interface Calibration {
  /**
   * Share of the planned draws, in [0, 1), after which they are measured for the first time. The authors wait a tenth because
   * LoRA's B = 0 at the start hides the gradients of A. @defaultValue 0.1
   */
  readonly at?: number;
  /** Draws from one measurement to the next. @defaultValue it is measured once */
  readonly every?: number;
  /** Sequences of the micro-batch that are measured on; their sensitivities are averaged. @defaultValue 1, as the authors */
  readonly samples?: number;
}

/** With `at` filled in, and the others where they were given. */
export type CalibrationSettings = Calibration & { readonly at: number };

/** @throws Problem on what is unknown or out of range */
export function readCalibration(calibration: unknown = {}): CalibrationSettings | false {
  if (calibration === false) return false;
  if (!isObject(calibration)) {
    const expected = '{ at?, every?, samples? } or false';
    throw problem('dropbp', { what: 'calibration is not usable', got: calibration, expected });
  }
  checkOptions('dropbp', 'calibration', calibration, ['at', 'every', 'samples']);
  const { at = 0.1, every, samples } = calibration as Calibration;
  const fix = 'give a fraction of the planned steps, such as 0.1';
  checkNumber('dropbp', 'calibration.at', at, ranges.shareBelowOne, fix);
  if (every !== undefined) checkNumber('dropbp', 'calibration.every', every, ranges.count);
  if (samples !== undefined) checkNumber('dropbp', 'calibration.samples', samples, ranges.count);
  return Object.freeze({ at, ...(every !== undefined && { every }), ...(samples !== undefined && { samples }) });
}

/**
 * The draw, counted from 0, before which sensitivities are measured first: the whole part of `at · totalSteps`, as the authors
 * have it. Undefined when that part is 0 although `at` is not: such a run is too short, and its very start the wrong moment.
 */
export function firstCalibration({ at }: CalibrationSettings, totalSteps: number): number | undefined {
  const step = Math.trunc(at * totalSteps);
  return totalSteps > 0 && (step > 0 || at === 0) ? step : undefined;
}
