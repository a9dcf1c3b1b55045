import { checkValue } from '@dropbp/basics';
import type { DropBranch } from './branchRates.ts';
import { fitToBranches } from './chooseAllocation.ts';
import type { DropBPOptions, DropBPSettings } from './dropBPOptions.ts';
import { startSchedule, type DropSchedule } from './dropSchedule.ts';
import { flattenOptions } from './flattenOptions.ts';
import { readSettings } from './readSettings.ts';

/** A policy: how much to drop and how to choose. It knows no model yet and holds no state, so runs can share it. */
export interface DropBP {
  /** The options, defaults filled in. The branches may decide for another default allocation: see `DropSchedule.options`. */
  readonly options: DropBPSettings;
  /**
   * Begins a run on the branches of a model, in branch order.
   *
   * @param rate - the highest that a budget of time comes to on these branches, where it is known beforehand: it decides, as `rate` does, whether
   * 'depth' comes to it
   * @throws Problem when there is no branch, or no rates of these branches reach the budget
   */
  start(branches: readonly DropBranch[], rate?: number): DropSchedule;
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
  const flat = flattenOptions(options);
  const settings = readSettings(flat);
  return {
    options: settings,
    start(branches, rate) {
      checkValue<unknown>('dropbp', 'start(): branches', branches, Array.isArray, 'a list of { flops, … }');
      const fit = fitToBranches(flat, settings, branches, rate);
      return startSchedule(fit === flat ? settings : readSettings(fit), branches);
    },
  };
}
