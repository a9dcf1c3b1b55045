import type { SamplingMethod } from '../draws/drawDropped.ts';
import type { AllocationMethod } from '../rates/allocateRates.ts';
import type { Budget } from './budget.ts';
import type { Calibration, CalibrationSettings } from './calibration.ts';
import type { RateSchedule } from './rateSchedule.ts';
import type { Rescale } from './rescale.ts';

/** Whether prompts run forward only: always, never, or where a measurement says that it pays. */
export type DropPrompts = boolean | 'auto';

/** What `dropBP` takes: a budget, in one of three terms, and how to meet it. */
export interface DropBPOptions {
  /**
   * Share of the branches' backward pass to drop, in [0, 1): 0 drops nothing. This, `timeSaved` or `memory` must be given: there
   * is no default, as it trades accuracy for time.
   */
  readonly rate?: number;
  /**
   * Share of a whole step's FLOPs to save, in (0, 1), embedding, head and loss included. `compose` solves it to a rate for the
   * model, the adapter and the shape of each batch.
   */
  readonly timeSaved?: number;
  /**
   * What a step may use at most: `'4GiB'`, or a count of bytes. `compose` solves it to a rate for the model, the adapter and the
   * shape of each batch, and every step's draw stays within it.
   */
  readonly memory?: string | number;
  /**
   * No branch is dropped less often than this, in [0, 0.9] and at most `rate`; nor more often than a step's rate, where that moves or is solved
   * and comes below. @defaultValue 0
   */
  readonly minRate?: number;
  /** No branch is dropped more often than this, in [minRate, 1]. Not with `allocation: 'reference'`. @defaultValue 0.9 */
  readonly maxRate?: number;
  /** How the rate moves while the run goes on. Only with `rate`. @defaultValue it is constant */
  readonly schedule?: RateSchedule;
  /** Branches of this kind alone are dropped; the budget still counts all. @defaultValue both kinds */
  readonly only?: 'attention' | 'mlp';
  /** When sensitivities are measured; `false` = never. @defaultValue `{ at: 0.1 }`; `false` where `sensitivities` are given, and with `allocation: 'depth'`, which needs none */
  readonly calibration?: Calibration | false;
  /** Those of an earlier run, one for each branch: rates are allocated from the first step on. @defaultValue none: every branch has the same rate until calibration */
  readonly sensitivities?: readonly number[];
  /** How a step's branches are drawn from the rates. @defaultValue the draw that goes with the allocation */
  readonly sampling?: SamplingMethod;
  /**
   * How rates are chosen. `'depth'`: rates fall from the first branch to the last, and a step drops the lowest branches up to a
   * cut. `'reference'`: rates follow from sensitivities as the authors have it. The other three are exact allocations of
   * sensitivities. `DropSchedule.options` says what a run follows.
   *
   * @defaultValue 'depth' if depth can meet the other options on this model, else 'reference'
   */
  readonly allocation?: AllocationMethod | 'depth';
  /**
   * Multiplies the backward pass of a kept branch by 1/(1 − its rate), which makes the gradient unbiased where branches are
   * dropped independently ('bernoulli'), and comes nearer to it with 'pivotal' and 'reference'. By depth the gradients of its parameters alone, which
   * makes those of all branches that are ever kept unbiased. Up to `max`, in either case. @defaultValue false, as the authors
   */
  readonly rescale?: boolean | Rescale;
  /**
   * Whether prompts run forward only: the tokens of a text in front of the first one that predicts a label. Their keys and
   * values are constants for the rest of the text. `'auto'` does so where a measurement says that it pays. It adds to `rate`,
   * which may be 0. @defaultValue false
   */
  readonly dropPrompts?: DropPrompts;
  /** Seed of the draws, a 32-bit unsigned integer. @defaultValue 526, the authors' */
  readonly seed?: number;
}

/** The options with their defaults filled in: JSON-safe. What has no effect is left out. */
export interface DropBPSettings extends Budget {
  /** See {@link DropBPOptions.minRate}. */
  readonly minRate: number;
  /** See {@link DropBPOptions.maxRate}. */
  readonly maxRate?: number;
  /** See {@link DropBPOptions.schedule}. */
  readonly schedule?: Required<RateSchedule>;
  /** See {@link DropBPOptions.only}. */
  readonly only?: 'attention' | 'mlp';
  /** See {@link DropBPOptions.calibration}. */
  readonly calibration: CalibrationSettings | false;
  /** See {@link DropBPOptions.sensitivities}. */
  readonly sensitivities?: readonly number[];
  /** See {@link DropBPOptions.sampling}. */
  readonly sampling: SamplingMethod;
  /** See {@link DropBPOptions.allocation}. */
  readonly allocation: AllocationMethod | 'depth';
  /** See {@link DropBPOptions.rescale}. */
  readonly rescale?: Required<Rescale>;
  /** See {@link DropBPOptions.dropPrompts}. Absent where prompts are never dropped. */
  readonly dropPrompts?: Exclude<DropPrompts, false>;
  /** See {@link DropBPOptions.seed}. */
  readonly seed: number;
}
