import type { SamplingMethod } from '../draws/drawDropped.ts';
import { branchRates, type DropBranch } from './branchRates.ts';
import type { DropBPSettings } from './dropBPOptions.ts';
import type { FlatOptions } from './flattenOptions.ts';
import { highestRate } from './rateSchedule.ts';

/** How rates are chosen, and how a step's branches are drawn from them. */
export type AllocationChoice = Pick<DropBPSettings, 'allocation' | 'sampling'>;

/** The draw that goes with each allocation. The authors', which fills up to the rate, would drop more than exact rates say. */
const usualSampling: Readonly<Record<DropBPSettings['allocation'], SamplingMethod>> = {
  depth: 'nested',
  reference: 'reference',
  minimax: 'pivotal',
  quadratic: 'pivotal',
  linear: 'pivotal',
};

/**
 * The rule of the default, all of it: branches are dropped by depth if depth can meet what is asked for, and as the authors do if
 * it cannot. Here it is applied to the options, in {@link fitToBranches} to the branches.
 */
export function chooseAllocation(options: FlatOptions): AllocationChoice {
  const { allocation = canMeet(options) ? 'depth' : 'reference' } = options;
  // With a budget of memory every step must be of nearly one size, which even draws are.
  const { sampling = options.memory === undefined ? usualSampling[allocation] : 'pivotal' } = options;
  return { allocation, sampling };
}

/** Depth measures nothing, bounds no single branch, has a draw of its own, and its steps differ in size. */
function canMeet({ memory, minRate, maxRate, only, calibration, sensitivities, sampling }: FlatOptions): boolean {
  const beyond = [memory, minRate, maxRate, only, calibration, sensitivities];
  return beyond.every(value => value === undefined) && (sampling === undefined || sampling === 'nested');
}

/**
 * The options for these branches: as they are, unless depth was chosen by default and cannot meet the rate on them, or lies behind
 * all that is trained. Then the draws are even: few branches may be left, of which the authors' draw would drop all.
 *
 * @param solved - the rate that a budget of time comes to
 */
export function fitToBranches(
  options: FlatOptions,
  settings: DropBPSettings,
  branches: readonly DropBranch[],
  solved: number | undefined,
): FlatOptions {
  const isAsked = options.allocation !== undefined || options.sampling !== undefined;
  if (isAsked || settings.allocation !== 'depth') return options;
  const isFit = !liesInFront(branches) && isWithinReach(settings, branches, solved);
  return isFit ? options : { ...options, allocation: 'reference', sampling: 'pivotal' };
}

/** Whether all that is trained lies in front of the branches, as prompts do: a step that drops from below would not reach it. */
function liesInFront(branches: readonly DropBranch[]): boolean {
  return branches.length > 0 && branches.every(({ trains = true }) => !trains);
}

/** Whether dropping from below reaches the rate: not with few layers, nor where what is trained lies low. */
function isWithinReach(settings: DropBPSettings, branches: readonly DropBranch[], solved: number | undefined): boolean {
  const { rate, schedule } = settings;
  const highest = rate === undefined ? solved : highestRate(rate, schedule);
  if (highest === undefined) return true;
  const reach = branchRates(settings, branches);
  return highest <= reach.largestRate(reach.hardestFlops, false);
}
