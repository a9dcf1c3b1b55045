import { checkNumber, checkOptions, problem, ranges, sum } from '@dropbp/basics';
import { checkChoice } from '../checks/checkChoice.ts';
import { linearRates } from './linearRates.ts';
import { minimaxRates, quadraticRates } from './levelRates.ts';
import { reachableRate, referenceRates } from './referenceRates.ts';
import { amount, checkNumbers, checkSameLength, within } from '../checks/checkNumbers.ts';

/**
 * How rates follow from sensitivities under one FLOPs budget.
 * - `reference`: the authors' greedy steps of 0.1, at most 0.9; goes past the budget by less than a step of one branch
 * - `minimax`: least max(sensitivity · rate), which the reference comes near to; exact budget
 * - `quadratic`: least Σ sensitivity · rate²; exact budget
 * - `linear`: least Σ sensitivity · rate, close to freezing the least sensitive branches; exact budget
 */
export type AllocationMethod = 'reference' | 'minimax' | 'quadratic' | 'linear';

/** What `allocateRates` takes. */
export interface AllocateRatesOptions {
  /** How much the gradient changes when this branch is dropped; finite, ≥ 0; only ratios matter. */
  readonly sensitivities: readonly number[];
  /** FLOPs of each branch, as counts: finite, ≥ 0. The reference cuts the budget to a whole number. */
  readonly flops: readonly number[];
  /** Share of all branches' FLOPs whose backward is dropped on average, in [0, 1). */
  readonly rate: number;
  /** No branch is dropped less often than this: in [0, 1) for `reference`, in [0, maxRate] else. @defaultValue 0 */
  readonly minRate?: number;
  /** No branch is dropped more often than this. Not for `reference`, whose cap is its own. @defaultValue 0.9 */
  readonly maxRate?: number;
  /** @defaultValue 'reference' */
  readonly method?: AllocationMethod;
}

export interface AllocationInput {
  readonly sensitivities: readonly number[];
  readonly flops: readonly number[];
  readonly rate: number;
  readonly minRate: number;
}

export interface ExactAllocationInput extends Omit<AllocationInput, 'rate'> {
  /** Σ flops · rate of the branches. */
  readonly budget: number;
  readonly maxRate: number;
}

const exactMethods = { minimax: minimaxRates, quadratic: quadraticRates, linear: linearRates };
export const allocationMethods: readonly AllocationMethod[] = ['reference', 'minimax', 'quadratic', 'linear'];

/**
 * Gives each branch the rate at which its backward pass is dropped: high where little is lost, and together so that
 * `rate` of all FLOPs is dropped on average.
 *
 * With `reference` and `minRate` ≥ 0.9 a rate can exceed 1, as in the authors' code, and `minRate` ≥ `rate` gives `minRate` to all; the exact
 * methods refuse that.
 *
 * @returns one rate per branch, in the order given; with `reference` float32 values
 * @throws Problem on numbers that are not usable, and on a budget that cannot be reached, naming the largest that can
 *
 * Source: `allocate_p` of github WooSunghyeon/dropbp, commit 7170a63.
 *
 * @example
 * ```ts
 * allocateRates({ sensitivities: [4, 1, 2, 8], flops: [100, 200, 100, 200], rate: 0.5 }); // [0.3, 0.9, 0.7, 0.1] as float32
 * ```
 */
export function allocateRates(options: AllocateRatesOptions): number[] {
  checkOptions('dropbp', 'allocateRates()', options, [
    'sensitivities',
    'flops',
    'rate',
    'minRate',
    'maxRate',
    'method',
  ]);
  const { sensitivities, flops, rate, minRate = 0, maxRate, method = 'reference' } = options;
  checkChoice('method', method, allocationMethods);
  checkNumbers('sensitivities', sensitivities, amount, 'look for a loss or gradient that is not finite');
  checkNumbers('flops', flops, amount);
  checkSameLength('sensitivities', sensitivities, 'flops', flops.length);
  checkNumber('dropbp', 'rate', rate, ranges.shareBelowOne);
  checkNumber('dropbp', 'minRate', minRate, ranges.shareBelowOne);
  if (method !== 'reference') return exactRates(method, { sensitivities, flops, rate, minRate }, maxRate ?? 0.9);
  if (maxRate !== undefined) {
    throw problem('dropbp', {
      what: "maxRate has no effect on method 'reference', whose rates end at 0.9",
      got: maxRate,
      fix: "leave it out, or use method: 'minimax'",
    });
  }
  const { rates, left, budgetLeft } = referenceRates({ sensitivities, flops, rate, minRate });
  if (left > budgetLeft) {
    const fix = 'lower rate, or let dropBP() drop every branch at the same rate, by calibration: false';
    throw unreachable(rate, reachableRate(left, flops), fix);
  }
  return rates;
}

function exactRates(method: keyof typeof exactMethods, input: AllocationInput, maxRate: number): number[] {
  const { flops, rate, minRate } = input;
  checkNumber('dropbp', 'maxRate', maxRate, within(minRate, 1));
  if (rate > maxRate) throw unreachable(rate, maxRate, 'lower rate, or raise maxRate');
  checkNumber(
    'dropbp',
    'rate',
    rate,
    { accepts: v => v >= minRate, expected: `at least minRate, ${minRate}` },
    'lower minRate',
  );
  const budget = rate * sum(flops);
  return exactMethods[method]({ ...input, budget, maxRate });
}

function unreachable(rate: number, reachable: number | undefined, fix: string): Error {
  const what = 'the rates cannot reach the budget, all at their caps';
  if (reachable !== undefined) {
    return problem('dropbp', { what, got: rate, expected: `rate to be at most ${reachable}`, fix });
  }
  return problem('dropbp', {
    what,
    got: rate,
    expected: 'FLOPs that add up to many whole units, as the reference cuts the budget to a whole number',
    fix: 'give flops as counts, not as shares',
  });
}
