import { checkNumber, checkOptions, checkValue, isObject, problem, ranges } from '@dropbp/basics';
import type { ObjectiveBatch } from '@dropbp/core';
import type { DropBPSettings, DropSchedule, DropScheduleState } from '@dropbp/dropbp';
import type { CalibrateOptions, Peers } from '../tuned.ts';
import type { DivisorOf } from './prompts/compareGradients.ts';
import type { ComparePromptsOptions } from './prompts/comparePrompts.ts';
import type { PromptComparison, PromptDecision, PromptGate, PromptGateState } from './prompts/promptGate.ts';

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
  /** The latest decision on dropped prompts; undefined before the first, and without `dropPrompts: 'auto'`. */
  readonly promptDecision: PromptDecision | undefined;
  /**
   * Measures what is due before this pass: sensitivities, from which the rates are allocated anew, and whether it pays to drop
   * prompts.
   *
   * @param pass - number of the pass in the run, from 0
   * @param batch - what the pass is about to train on: the whole batch, which stays the caller's
   * @param divisorOf - the metric of the optimizer, in which gradients with and without prompts are compared.
   * @defaultValue the plain one
   * @returns whether it measured
   * @throws Problem if the gradients are not finite
   */
  measure(pass: number, batch: ObjectiveBatch, divisorOf?: DivisorOf): Promise<boolean>;
  /** What a checkpoint must keep: JSON-safe, a copy; null without DropBP. */
  readonly state: DropRunState | null;
  /**
   * Continues from a state of this run or of an earlier one, which may have had fewer passes.
   *
   * @throws Problem if it is not a state of such a run
   */
  restore(state: unknown): void;
}

/** The drops of a run in a checkpoint. */
export interface DropRunState extends DropScheduleState {
  /** What was found out about dropped prompts; absent without `dropPrompts: 'auto'`. */
  readonly prompts?: PromptGateState;
}

/** What a run decides with. */
export interface DropParts {
  /** Undefined without DropBP. */
  readonly schedule: DropSchedule | undefined;
  /** Undefined without `dropPrompts: 'auto'`. */
  readonly gate: PromptGate | undefined;
  /** Measures sensitivities and gives them to the schedule. */
  readonly calibrate: (batch: ObjectiveBatch, options: CalibrateOptions) => Promise<unknown>;
  /** Compares the gradients of a batch with those without its prompts; undefined where texts cannot be divided. */
  readonly compare: (
    batch: ObjectiveBatch,
    options: Pick<ComparePromptsOptions, 'peers' | 'divisorOf'>,
  ) => Promise<PromptComparison | undefined>;
}

/** Begins the drops of a run. */
export function beginRun({ schedule, gate, calibrate, compare }: DropParts, options: RunOptions): DropRun {
  checkValue<unknown>('compose', 'beginRun(): its options', options, isObject, '{ passes, peers? }');
  checkOptions('compose', 'beginRun()', options, ['passes', 'peers']);
  const { passes, peers } = options;
  checkNumber('compose', 'passes', passes, ranges.index);
  const plan = (): void => {
    schedule?.plan(passes);
    gate?.plan(passes);
  };
  plan();
  return {
    settings: schedule?.options,
    get rates() {
      return schedule?.rates;
    },
    get sensitivities() {
      return schedule?.sensitivities;
    },
    get promptDecision() {
      return gate?.decision;
    },
    async measure(pass, batch, divisorOf) {
      const isCalibrated = schedule !== undefined && isDue(schedule, pass, passes);
      if (isCalibrated) await calibrate(batch, peers === undefined ? {} : { peers });
      const isCompared = gate?.isDue(pass) === true;
      if (isCompared) gate.add(pass, await compare(batch, { peers, divisorOf }));
      return isCalibrated || isCompared;
    },
    get state() {
      return schedule === undefined ? null : { ...schedule.state, ...(gate && { prompts: gate.state }) };
    },
    restore(state) {
      if ((state === null) !== (schedule === undefined)) {
        throw problem('compose', {
          what: `the checkpoint was made ${state === null ? 'without' : 'with'} DropBP`,
          fix: 'go on as it began',
        });
      }
      const { prompts, ...own } = isObject(state) ? state : { prompts: undefined };
      schedule?.restore(isObject(state) ? own : state);
      if (gate === undefined && prompts !== undefined) {
        throw problem('compose', {
          what: 'the checkpoint has decisions on dropped prompts, and this run makes none',
          fix: "go on as it began, with dropPrompts: 'auto'",
        });
      }
      gate?.restore(prompts);
      plan();
    },
  };
}

/** A run that continues with more passes may already be past its first measurement: it measures at once. */
function isDue(schedule: DropSchedule, pass: number, passes: number): boolean {
  const isOverdue = schedule.sensitivities === undefined && pass > (schedule.calibrationStep(passes) ?? Infinity);
  return isOverdue || schedule.isCalibrationStep(pass, passes);
}
