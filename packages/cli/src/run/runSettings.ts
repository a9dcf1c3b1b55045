import { problem } from '@dropbp/basics';
import type { Model } from '@dropbp/core';
import { budgetOf } from './chooseDropBP.ts';
import type { TrainFlagValues } from './trainFlags.ts';

/** The flags of a run with everything filled in that follows from the model and from other flags. */
export interface RunSettings extends TrainFlagValues {
  readonly time: number;
  readonly learningRate: number;
  readonly saveEvery: number;
  /** Steps from one evaluation to the next. */
  readonly evaluateEvery: number;
}

/** Fills in what was not given. @throws Problem for what the model cannot do */
export function settleRun(flags: TrainFlagValues, model: Pick<Model, 'maxPositions'>): RunSettings {
  const { steps, evaluations, time = Math.min(128, model.maxPositions) } = flags;
  if (time > model.maxPositions) {
    throw problem('cli', {
      what: '--time is longer than the model has positions for',
      got: time,
      expected: `at most ${model.maxPositions}`,
    });
  }
  return {
    ...flags,
    ...budgetOf(flags),
    time,
    learningRate: flags.learningRate ?? (flags.adapter === 'lora' ? 1e-3 : 1e-4),
    saveEvery: flags.saveEvery ?? Math.min(100, Math.ceil(steps / 10)),
    evaluateEvery: Math.ceil(steps / evaluations),
  };
}
