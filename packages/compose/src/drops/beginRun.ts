import { checkNumber, checkOptions, checkValue, isObject, problem, ranges } from '@dropbp/basics';
import type { Batch } from '@dropbp/core';
import type { DropBPSettings, DropSchedule, DropScheduleState } from '@dropbp/dropbp';
import type { CalibrateOptions, Peers } from '../tuned.ts';

/** Options of {@link Tuned.beginRun}. */
export interface RunOptions {
  /** How many passes the run has: one for each micro-batch. */
  readonly passes: number;
  /** Processes that hold the same batches and measure together. @defaultValue none */
  readonly peers?: Peers;
}

/** The drops of one training run, from its first pass to its last. Without DropBP nothing is dropped, measured or kept. */
export interface DropRun {
  /** What DropBP follows; undefined without DropBP. */
  readonly settings: DropBPSettings | undefined;
  /** Drop rate of each branch, as the last pass had it; undefined without DropBP. */
  readonly rates: readonly number[] | undefined;
  /** Sensitivity of each branch, measured or given; undefined before there are any. */
  readonly sensitivities: readonly number[] | undefined;
  /**
   * Measures sensitivities and allocates the rates anew, if a measurement is due before this pass.
   *
   * @param pass - number of the pass in the run, from 0
   * @param batch - what the pass is about to train on: the whole batch, which stays the caller's
   * @returns whether it measured
   * @throws Problem if the gradients are not finite
   */
  measure(pass: number, batch: Batch): Promise<boolean>;
  /** What a checkpoint must keep: JSON-safe, a copy; null without DropBP. */
  readonly state: DropScheduleState | null;
  /**
   * Continues from a state of this run or of an earlier one, which may have had fewer passes.
   *
   * @throws Problem if it is not a state of such a run
   */
  restore(state: unknown): void;
}

/** @param calibrate - measures sensitivities and gives them to the schedule */
export function beginRun(
  schedule: DropSchedule | undefined,
  options: RunOptions,
  calibrate: (batch: Batch, options: CalibrateOptions) => Promise<unknown>,
): DropRun {
  checkValue<unknown>('compose', 'beginRun(): its options', options, isObject, '{ passes, peers? }');
  checkOptions('compose', 'beginRun()', options, ['passes', 'peers']);
  const { passes, peers } = options;
  checkNumber('compose', 'passes', passes, ranges.index);
  schedule?.plan(passes);
  return {
    settings: schedule?.options,
    get rates() {
      return schedule?.rates;
    },
    get sensitivities() {
      return schedule?.sensitivities;
    },
    async measure(pass, batch) {
      if (schedule === undefined || !isDue(schedule, pass, passes)) return false;
      await calibrate(batch, peers === undefined ? {} : { peers });
      return true;
    },
    get state() {
      return schedule?.state ?? null;
    },
    restore(state) {
      if ((state === null) !== (schedule === undefined)) {
        throw problem('compose', {
          what: `the checkpoint was made ${state === null ? 'without' : 'with'} DropBP`,
          fix: 'go on as it began',
        });
      }
      schedule?.restore(state);
      schedule?.plan(passes);
    },
  };
}

/** A run that continues with more passes may already be past its first measurement: it measures at once. */
function isDue(schedule: DropSchedule, pass: number, passes: number): boolean {
  const isOverdue = schedule.sensitivities === undefined && pass > (schedule.calibrationStep(passes) ?? Infinity);
  return isOverdue || schedule.isCalibrationStep(pass, passes);
}
