import { checkNumber, checkOptions, problem, ranges } from '@dropbp/basics';
import { allocationMethods, type AllocationMethod } from './allocateRates.ts';
import { checkChoice } from './checkChoice.ts';
import { within } from './checkNumbers.ts';
import { samplingMethods, type SamplingMethod } from './drawDropped.ts';
import { startSchedule, type DropSchedule } from './dropSchedule.ts';

/** What `dropBP` takes. */
export interface DropBPOptions {
  /** Share of the branches' backward pass to drop, in [0, 1): 0 drops nothing. No default: it trades accuracy for time. */
  readonly rate: number;
  /** No branch is dropped less often than this, in [0, 0.9] and at most `rate`. @defaultValue 0 */
  readonly minRate?: number;
  /** No branch is dropped more often than this, in [minRate, 1]. Not with `allocation: 'reference'`. @defaultValue 0.9 */
  readonly maxRate?: number;
  /**
   * When to measure sensitivities, as a fraction `at` in [0, 1) of the planned steps; `false` = never, every branch keeps
   * the rate `rate`. The authors wait a tenth because LoRA's B = 0 at the start hides the gradients of A.
   * @defaultValue { at: 0.1 }
   */
  readonly calibration?: { readonly at?: number } | false;
  /** How a step's branches are drawn. @defaultValue 'reference' */
  readonly sampling?: SamplingMethod;
  /** How rates follow from sensitivities. @defaultValue 'reference' */
  readonly allocation?: AllocationMethod;
  /** Seed of the draws, a 32-bit unsigned integer. @defaultValue 526, the authors' */
  readonly seed?: number;
}

/** The options with their defaults filled in: JSON-safe. `maxRate` is there only for the methods that read it. */
export interface DropBPSettings {
  readonly rate: number;
  readonly minRate: number;
  readonly maxRate?: number;
  readonly calibration: { readonly at: number } | false;
  readonly sampling: SamplingMethod;
  readonly allocation: AllocationMethod;
  readonly seed: number;
}

/** A policy: how much to drop and how to choose. It knows no model yet and holds no state, so runs can share it. */
export interface DropBP {
  readonly options: DropBPSettings;
  /**
   * Begins a run on the branches of a model, in branch order.
   *
   * @param branches - FLOPs of each for the usual batch shape, as counts
   * @throws Problem when there is no branch, or no rates of these branches reach the budget
   */
  start(branches: readonly { readonly flops: number }[]): DropSchedule;
}

/**
 * Drop backward propagation: which branches of the model skip their backward pass, step by step.
 *
 * @throws Problem on options that are unknown, out of range, or without effect
 *
 * Source: DropBP, Woo et al., NeurIPS 2024, arXiv 2402.17812.
 *
 * @example
 * ```ts
 * const schedule = dropBP({ rate: 0.5 }).start([{ flops: 140e6 }, { flops: 270e6 }]);
 * schedule.draw(0); // [true, false], say: the first branch runs forward only in step 0
 * ```
 */
export function dropBP(options: DropBPOptions): DropBP {
  const settings = settle(options);
  return { options: settings, start: branches => startSchedule(settings, branches) };
}

function settle(options: DropBPOptions): DropBPSettings {
  checkOptions('dropbp', 'dropBP()', options, [
    'rate',
    'minRate',
    'maxRate',
    'calibration',
    'sampling',
    'allocation',
    'seed',
  ]);
  const { rate, minRate = 0, sampling = 'reference', allocation = 'reference', seed = 526 } = options;
  checkNumber('dropbp', 'rate', rate, ranges.shareBelowOne, 'start with rate: 0.5');
  const most = Math.min(rate, 0.9);
  checkNumber('dropbp', 'minRate', minRate, within(0, most));
  checkChoice('sampling', sampling, samplingMethods);
  checkChoice('allocation', allocation, allocationMethods);
  const isSeed = (v: number): boolean => Number.isInteger(v) && v >= 0 && v < 2 ** 32;
  checkNumber('dropbp', 'seed', seed, { accepts: isSeed, expected: 'an integer in [0, 2^32)' });
  const calibration = settleCalibration(options.calibration);
  if (calibration === false) refuseIdle(options);
  const maxRate = settleMaxRate(options.maxRate, allocation, minRate);
  return Object.freeze({
    rate,
    minRate,
    ...(maxRate !== undefined && { maxRate }),
    calibration,
    sampling,
    allocation,
    seed,
  });
}

function settleCalibration(calibration: unknown = {}): { readonly at: number } | false {
  if (calibration === false) return false;
  if (typeof calibration !== 'object' || calibration === null) {
    throw problem('dropbp', { what: 'calibration is not usable', got: calibration, expected: '{ at } or false' });
  }
  checkOptions('dropbp', 'calibration', calibration, ['at']);
  const { at = 0.1 } = calibration as { at?: number };
  checkNumber(
    'dropbp',
    'calibration.at',
    at,
    ranges.shareBelowOne,
    'give a fraction of the planned steps, such as 0.1',
  );
  return Object.freeze({ at });
}

function settleMaxRate(maxRate: number | undefined, allocation: AllocationMethod, minRate: number): number | undefined {
  if (allocation !== 'reference') {
    const settled = maxRate ?? 0.9;
    checkNumber('dropbp', 'maxRate', settled, within(minRate, 1));
    return settled;
  }
  if (maxRate === undefined) return undefined;
  throw problem('dropbp', {
    what: "maxRate has no effect on allocation 'reference', whose rates end at 0.9",
    got: maxRate,
    fix: "leave it out, or use allocation: 'minimax'",
  });
}

function refuseIdle({ minRate = 0, maxRate, allocation = 'reference' }: DropBPOptions): void {
  const idle = [
    ...(minRate > 0 ? ['minRate'] : []),
    ...(maxRate !== undefined ? ['maxRate'] : []),
    ...(allocation !== 'reference' ? ['allocation'] : []),
  ];
  if (idle.length === 0) return;
  throw problem('dropbp', {
    what: `${idle.join(' and ')} would have no effect with calibration: false, which gives every branch the same rate`,
    fix: `leave out ${idle.join(' and ')}, or let calibration happen`,
  });
}
