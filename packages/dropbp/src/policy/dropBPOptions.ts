import type { SamplingMethod } from '../draws/drawDropped.ts';
import type { AllocationMethod } from '../rates/allocateRates.ts';
import type { Budget } from './budget.ts';
import type { Calibration, CalibrationSettings } from './calibration.ts';
import type { RateSchedule } from './rateSchedule.ts';
import type { Rescale } from './rescale.ts';

/** Whether prompts run forward only: always, never, or where a measurement says that it pays. */
export type DropPrompts = boolean | 'auto';

/** How drop rates are chosen. */
export type AllocationName = AllocationMethod | 'depth';

/** What `dropBP` takes: a budget, in one of three terms, and how to meet it. */
export interface DropBPOptions extends FormerDropBPOptions {
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
   * Whether prompts run forward only: the tokens of a text in front of the first one that predicts a label. Their keys and
   * values are constants for the rest of the text. `'auto'` does so where a measurement says that it pays. A model or a loss that
   * cannot divide texts is an error with `true`, and with `'auto'` the run decides once to keep its prompts. It adds to `rate`, which may be 0. @defaultValue false
   */
  readonly dropPrompts?: DropPrompts;
  /**
   * How rates are chosen, by name or with details.
   *
   * @defaultValue 'depth' if depth can meet the other options on this model, else 'reference'
   */
  readonly allocation?: AllocationName | AllocationOptions;
  /** How the rate moves while the run goes on. Only with `rate`. @defaultValue it is constant */
  readonly schedule?: RateSchedule;
  /**
   * Where sensitivities come from: when they are measured, or those of an earlier run. `false` = never measured.
   *
   * @defaultValue `{ at: 0.1 }`; `false` with allocation 'depth', which needs none
   */
  readonly calibration?: CalibrationOptions | false;
  /** Seed of the draws, a 32-bit unsigned integer. @defaultValue 526, the authors' */
  readonly seed?: number;
}

/** How rates are chosen, and a step's branches drawn from them: `allocation` of {@link DropBPOptions}. */
export interface AllocationOptions {
  /**
   * `'depth'`: rates fall from the first branch to the last, and a step drops the lowest branches up to a cut. `'reference'`:
   * rates follow from sensitivities as the authors have it. The other three are exact allocations of sensitivities.
   * `DropSchedule.options` says what a run follows.
   *
   * @defaultValue 'depth' if depth can meet the other options on this model, else 'reference'
   */
  readonly method?: AllocationName;
  /**
   * No branch is dropped less often than this, in [0, 0.9] and at most `rate`; nor more often than a step's rate, where that moves or is solved
   * and comes below. @defaultValue 0
   */
  readonly minRate?: number;
  /** No branch is dropped more often than this, in [minRate, 1]. Not with the method 'reference'. @defaultValue 0.9 */
  readonly maxRate?: number;
  /** Branches of this kind alone are dropped; the budget still counts all. @defaultValue both kinds */
  readonly only?: 'attention' | 'mlp';
  /** How a step's branches are drawn from the rates. @defaultValue the draw that goes with the method */
  readonly sampling?: SamplingMethod;
  /**
   * Multiplies the backward pass of a kept branch by 1/(1 − its rate), which makes the gradient unbiased where branches are
   * dropped independently ('bernoulli'), and comes nearer to it with 'pivotal' and 'reference'. By depth the gradients of its parameters alone, which
   * makes those of all branches that are ever kept unbiased. Up to `max`, in either case. @defaultValue false, as the authors
   */
  readonly rescale?: boolean | Rescale;
}

/** Where sensitivities come from: `calibration` of {@link DropBPOptions}. */
export interface CalibrationOptions extends Calibration {
  /**
   * Those of an earlier run, one for each branch: rates are allocated from the first step on, and measured again only where `at`, `every` or `samples`
   * is given. @defaultValue none: every branch has the same rate until they are measured
   */
  readonly sensitivities?: readonly number[];
}

/** Names beside the groups that they belong to now. They work until 1.0. */
export interface FormerDropBPOptions extends Omit<AllocationOptions, 'method'> {
  /** `calibration.sensitivities`. */
  readonly sensitivities?: readonly number[];
}

/** The options with their defaults filled in: JSON-safe. What has no effect is left out. */
export interface DropBPSettings extends Budget {
  /** See {@link AllocationOptions.minRate}. */
  readonly minRate: number;
  /** See {@link AllocationOptions.maxRate}. */
  readonly maxRate?: number;
  /** See {@link DropBPOptions.schedule}. */
  readonly schedule?: Required<RateSchedule>;
  /** See {@link AllocationOptions.only}. */
  readonly only?: 'attention' | 'mlp';
  /** See {@link DropBPOptions.calibration}. */
  readonly calibration: CalibrationSettings | false;
  /** See {@link CalibrationOptions.sensitivities}. */
  readonly sensitivities?: readonly number[];
  /** See {@link AllocationOptions.sampling}. */
  readonly sampling: SamplingMethod;
  /** See {@link DropBPOptions.allocation}. */
  readonly allocation: AllocationName;
  /** See {@link AllocationOptions.rescale}. */
  readonly rescale?: Required<Rescale>;
  /** See {@link DropBPOptions.dropPrompts}. Absent where prompts are never dropped. */
  readonly dropPrompts?: Exclude<DropPrompts, false>;
  /** See {@link DropBPOptions.seed}. */
  readonly seed: number;
}
