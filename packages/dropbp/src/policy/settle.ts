import { checkNumber, checkOptions, problem } from '@dropbp/basics';
import { allocationMethods } from '../rates/allocateRates.ts';
import { settleBudget, type Budget } from './budget.ts';
import { settleCalibration } from './calibration.ts';
import { checkChoice } from './checkChoice.ts';
import { amount, checkNumbers, within } from './checkNumbers.ts';
import { samplingMethods, type SamplingMethod } from '../draws/drawDropped.ts';
import type { DropBPOptions, DropBPSettings } from './dropBP.ts';
import { settleSchedule } from './rateSchedule.ts';
import { settleRescale } from './rescale.ts';

type Allocation = DropBPSettings['allocation'];

const known = [
  ...['rate', 'timeSaved', 'memory', 'minRate', 'maxRate', 'schedule', 'only', 'calibration', 'sensitivities'],
  ...['sampling', 'allocation', 'rescale', 'seed'],
];

/** Fills in the defaults. @throws Problem on options that are unknown, out of range, or without effect */
export function settle(options: DropBPOptions): DropBPSettings {
  checkOptions('dropbp', 'dropBP()', options, known);
  const budget = settleBudget(options);
  const { minRate = 0, only, sensitivities, allocation = usualAllocation(options), seed = 526 } = options;
  checkNumber('dropbp', 'minRate', minRate, within(0, Math.min(budget.rate ?? 1, 0.9)));
  checkChoice('allocation', allocation, [...allocationMethods, 'depth'] as const);
  if (allocation === 'depth') refuseWithDepth(options);
  if (only !== undefined) checkChoice('only', only, ['attention', 'mlp']);
  if (sensitivities !== undefined) checkNumbers('sensitivities', sensitivities, amount);
  const isSeed = (v: number): boolean => Number.isInteger(v) && v >= 0 && v < 2 ** 32;
  checkNumber('dropbp', 'seed', seed, { accepts: isSeed, expected: 'an integer in [0, 2^32)' });
  const sampling = settleSampling(options.sampling, allocation, budget);
  const calibration = settleCalibration(
    options.calibration === undefined && (sensitivities || allocation === 'depth') ? false : options.calibration,
  );
  if (calibration === false && sensitivities === undefined && allocation !== 'depth') refuseIdle(options);
  const schedule = options.schedule === undefined ? undefined : settleSchedule(options.schedule);
  if (schedule !== undefined && budget.rate === undefined) {
    throw problem('dropbp', { what: 'schedule moves a rate', got: budget, fix: 'give rate, or leave out schedule' });
  }
  const maxRate = settleMaxRate(options.maxRate, allocation, minRate);
  const rescale = settleRescale(options.rescale);
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
    seed,
  });
}

/**
 * By depth, unless something is asked for that it has no use for, or branches of one kind alone: the others lie among the dropped
 * ones and their gradients would not be exact, which is what drops from below are for.
 */
function usualAllocation({
  memory,
  minRate,
  maxRate,
  only,
  calibration,
  sensitivities,
  sampling,
}: DropBPOptions): Allocation {
  const isOfOthers = [memory, minRate, maxRate, only, calibration, sensitivities].some(given => given !== undefined);
  return isOfOthers || (sampling !== undefined && sampling !== 'nested') ? 'reference' : 'depth';
}

/** The exact allocations have an exact draw: the authors', filled up, would drop more than the budget. */
const usualSampling: Readonly<Record<Allocation, SamplingMethod>> = {
  depth: 'nested',
  reference: 'reference',
  minimax: 'pivotal',
  quadratic: 'pivotal',
  linear: 'pivotal',
};

function settleSampling(
  sampling: SamplingMethod | undefined,
  allocation: Allocation,
  { memory }: Budget,
): SamplingMethod {
  if (sampling !== undefined) checkChoice('sampling', sampling, samplingMethods);
  if (memory === undefined) return sampling ?? usualSampling[allocation];
  if (sampling === undefined || sampling === 'pivotal') return 'pivotal';
  throw problem('dropbp', {
    what: `sampling '${sampling}' can keep too much in a step for a budget of memory`,
    expected: "'pivotal', whose draws are all nearly of one size",
    fix: 'leave sampling out, or give a rate',
  });
}

function settleMaxRate(maxRate: number | undefined, allocation: Allocation, minRate: number): number | undefined {
  if (allocation === 'depth') return undefined;
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

/** What has no effect where rates follow from depth alone. */
function refuseWithDepth({ minRate = 0, maxRate, calibration = false, sensitivities }: DropBPOptions): void {
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

function refuseIdle({ minRate = 0, maxRate, allocation }: DropBPOptions): void {
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
