import { checkNumber, problem } from '@dropbp/basics';
import { allocationMethods } from '../rates/allocateRates.ts';
import { readBudget, type Budget } from './budget.ts';
import { readCalibration } from './calibration.ts';
import { checkChoice } from '../checks/checkChoice.ts';
import { chooseAllocation } from './chooseAllocation.ts';
import { amount, checkNumbers, within } from '../checks/checkNumbers.ts';
import { samplingMethods, type SamplingMethod } from '../draws/drawDropped.ts';
import type { DropBPSettings } from './dropBPOptions.ts';
import type { FlatOptions } from './flattenOptions.ts';
import { readSchedule } from './rateSchedule.ts';
import { readRescale } from './rescale.ts';

type Allocation = DropBPSettings['allocation'];

/** Fills in the defaults. @throws Problem on options that are out of range or without effect */
export function readSettings(options: FlatOptions): DropBPSettings {
  const budget = readBudget(options);
  const { minRate = 0, only, sensitivities, dropPrompts = false, seed = 526 } = options;
  const { allocation, sampling } = chooseAllocation(options);
  checkNumber('dropbp', 'minRate', minRate, within(0, Math.min(budget.rate ?? 1, 0.9)));
  checkChoice('allocation', allocation, [...allocationMethods, 'depth'] as const);
  if (allocation === 'depth') refuseWithDepth(options);
  if (only !== undefined) checkChoice('only', only, ['attention', 'mlp']);
  checkChoice('dropPrompts', dropPrompts, [true, false, 'auto'] as const);
  if (sensitivities !== undefined) checkNumbers('sensitivities', sensitivities, amount);
  const isSeed = (v: number): boolean => Number.isInteger(v) && v >= 0 && v < 2 ** 32;
  checkNumber('dropbp', 'seed', seed, { accepts: isSeed, expected: 'an integer in [0, 2^32)' });
  checkSampling(sampling, budget);
  const calibration = readCalibration(
    options.calibration === undefined && (sensitivities || allocation === 'depth') ? false : options.calibration,
  );
  if (calibration === false && sensitivities === undefined && allocation !== 'depth') refuseIdle(options);
  const schedule = options.schedule === undefined ? undefined : readSchedule(options.schedule);
  if (schedule !== undefined && budget.rate === undefined) {
    throw problem('dropbp', { what: 'schedule moves a rate', got: budget, fix: 'give rate, or leave out schedule' });
  }
  const maxRate = readMaxRate(options.maxRate, allocation, minRate);
  const rescale = readRescale(options.rescale);
  return Object.freeze({
    ...budget,
    minRate,
    ...(maxRate !== undefined && { maxRate }),
    ...(schedule !== undefined && { schedule }),
    ...(only !== undefined && { only }),
    calibration,
    ...(sensitivities !== undefined && { sensitivities: Object.freeze([...sensitivities]) }),
    sampling,
    allocation,
    ...(rescale !== undefined && { rescale }),
    ...(dropPrompts !== false && { dropPrompts }),
    seed,
  });
}

/** @throws Problem for a draw whose steps differ too much in size for a budget of memory */
function checkSampling(sampling: SamplingMethod, { memory }: Budget): void {
  checkChoice('sampling', sampling, samplingMethods);
  if (memory === undefined || sampling === 'pivotal') return;
  throw problem('dropbp', {
    what: `sampling '${sampling}' can keep too much in a step for a budget of memory`,
    expected: "'pivotal', whose draws are all nearly of one size",
    fix: 'leave sampling out, or give a rate',
  });
}

function readMaxRate(maxRate: number | undefined, allocation: Allocation, minRate: number): number | undefined {
  if (allocation === 'depth') return undefined;
  if (allocation !== 'reference') {
    const most = maxRate ?? 0.9;
    checkNumber('dropbp', 'maxRate', most, within(minRate, 1));
    return most;
  }
  if (maxRate === undefined) return undefined;
  throw problem('dropbp', {
    what: "maxRate has no effect on allocation 'reference', whose rates end at 0.9",
    got: maxRate,
    fix: "leave it out, or use allocation: 'minimax'",
  });
}

/** What has no effect where rates follow from depth alone. */
function refuseWithDepth({ minRate = 0, maxRate, calibration = false, sensitivities }: FlatOptions): void {
  const idle = [
    ...(minRate > 0 ? ['minRate'] : []),
    ...(maxRate !== undefined ? ['maxRate'] : []),
    ...(calibration !== false ? ['calibration'] : []),
    ...(sensitivities !== undefined ? ['sensitivities'] : []),
  ];
  if (idle.length === 0) return;
  throw problem('dropbp', {
    what: `${idle.join(' and ')} would have no effect with allocation 'depth', where rates follow from depth alone`,
    fix: `leave out ${idle.join(' and ')}, or use another allocation`,
  });
}

function refuseIdle({ minRate = 0, maxRate, allocation }: FlatOptions): void {
  const idle = [
    ...(minRate > 0 ? ['minRate'] : []),
    ...(maxRate !== undefined ? ['maxRate'] : []),
    ...(allocation !== undefined && allocation !== 'reference' ? ['allocation'] : []),
  ];
  if (idle.length === 0) return;
  throw problem('dropbp', {
    what: `${idle.join(' and ')} would have no effect with calibration: false, which gives every branch the same rate`,
    fix: `leave out ${idle.join(' and ')}, or let calibration happen`,
  });
}
