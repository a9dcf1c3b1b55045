import { problem } from '@dropbp/basics';
import type { RowFormatName } from '@dropbp/data';
import { budgetOf } from '../drops/chooseDropBP.ts';
import { checkTime } from '../model/checkTime.ts';
import { defaultLearningRate, fillInMethod } from '../method/chooseMethod.ts';
import type { TrainFlagValues } from '../flags/tables/trainFlags.ts';

/** The flags of a run with everything filled in that follows from the model, the data and other flags. */
export interface RunSettings extends TrainFlagValues {
  readonly time: number;
  readonly steps: number;
  readonly learningRate: number;
  readonly saveEvery: number;
  /** Steps from one evaluation to the next. */
  readonly evaluateEvery: number;
}

/**
 * Tokens in a sequence at most.
 *
 * @param room - tokens that the model has positions for, beside those that an adapter takes
 * @throws Problem for more
 */
export function sequenceTime({ time }: Pick<TrainFlagValues, 'time'>, room: number, format: RowFormatName): number {
  checkTime(time, room);
  return time ?? Math.min(format === 'text' ? 128 : 512, room);
}

/** @throws Problem for a flag without what it needs */
export function checkMeasuring({ patience, heldOut }: Pick<TrainFlagValues, 'patience' | 'heldOut'>): void {
  if (patience === undefined || heldOut > 0) return;
  throw problem('cli', { what: '--patience has no effect with --held-out 0, where no loss is measured' });
}

/** Fills in what was not given. @param batches - that the run takes */
export function fillInRun(flags: TrainFlagValues, { time, batches }: { time: number; batches: number }): RunSettings {
  const steps = Math.max(1, Math.floor(batches / flags.accumulation));
  return {
    ...fillInMethod(flags),
    ...budgetOf(flags),
    time,
    steps,
    learningRate: flags.learningRate ?? defaultLearningRate(flags.adapter),
    saveEvery: flags.saveEvery ?? Math.min(100, Math.ceil(steps / 10)),
    evaluateEvery: Math.ceil(steps / flags.evaluations),
  };
}
