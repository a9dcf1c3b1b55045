import type * as tf from '@tensorflow/tfjs';
import { sum } from '@dropbp/basics';
import { branchFlops, type StepOptions, type Tuned, type ValueAndGradients } from '@dropbp/compose';
import { leadsToTrainable } from '@dropbp/core';
import type { BatchSource } from './batchSource.ts';
import type { DealtRows, RowDealer } from '../comm/rowDealer.ts';
import { disposeBatch } from './disposeBatch.ts';
import type { EarlyUpdates } from './earlyUpdates.ts';
import { gradientWindow } from './gradientWindow.ts';
import type { TrainPlan } from '../options/trainOptions.ts';

/** The micro-batches of a step, put together. The caller owns value and gradients. */
export interface Accumulated {
  /** Mean loss. */
  readonly value: tf.Scalar;
  readonly gradients: Map<string, tf.Tensor>;
  readonly tokens: number;
  readonly passedTokens: number;
  readonly droppedBranches: readonly (readonly boolean[])[];
  /** FLOPs of all branches that lead to something trainable, forward. */
  readonly flops: number;
  /** Those of the dropped ones. */
  readonly droppedFlops: number;
  /** Time that DropBP's measuring took. */
  readonly calibrationSeconds: number;
}

/**
 * Runs the micro-batches of a step and disposes them: of each, the rows that are dealt to this rank.
 *
 * @param onGradient - takes gradients before the pass is over
 */
export async function accumulate(
  tuned: Tuned,
  { source, dealer }: { readonly source: BatchSource; readonly dealer: RowDealer },
  { steps, accumulation, seed, signal, comm }: TrainPlan,
  step: number,
  onGradient?: EarlyUpdates['onGradient'],
): Promise<Accumulated> {
  const leads = leadsToTrainable(tuned);
  const window = gradientWindow();
  const droppedBranches: (readonly boolean[])[] = [];
  let passedTokens = 0;
  let flops = 0;
  let droppedFlops = 0;
  let calibrationSeconds = 0;
  try {
    for (let i = 0; i < accumulation; i++) {
      signal?.throwIfAborted();
      const batch = await source.next(step);
      try {
        const microStep = (step - 1) * accumulation + i;
        if (tuned.dropSchedule && isToCalibrate(tuned.dropSchedule, microStep, steps * accumulation)) {
          const startedMs = performance.now();
          await tuned.calibrate(batch, comm.size > 1 ? { peers: comm } : {});
          calibrationSeconds += (performance.now() - startedMs) / 1000;
        }
        const options = { step: microStep, seed, ...(onGradient && { onGradient }) };
        const pass =
          comm.size === 1
            ? await tuned.valueAndGradients(batch, options)
            : await passOfShare(tuned, await dealer.deal(batch, microStep + 1 === steps * accumulation), options);
        window.add(pass);
        droppedBranches.push(pass.dropped);
        passedTokens += batch.inputIds.size;
        const [rows, time] = batch.inputIds.shape as [number, number];
        const costs = branchFlops(tuned, { batch: rows, time }).filter((_, branch) => leads[branch]);
        const dropped = pass.dropped.filter((_, branch) => leads[branch]);
        flops += sum(costs);
        droppedFlops += sum(costs.filter((_, i) => dropped[i] === true));
      } finally {
        disposeBatch(batch);
      }
    }
    return { ...window.take(), passedTokens, droppedBranches, flops, droppedFlops, calibrationSeconds };
  } finally {
    window.dispose();
  }
}

/** A run that goes on with another number of steps may be past the one before which it would have measured: it does so at once. */
function isToCalibrate(schedule: NonNullable<Tuned['dropSchedule']>, microStep: number, total: number): boolean {
  const isOverdue = schedule.sensitivities === undefined && microStep > (schedule.calibrationStep(total) ?? Infinity);
  return isOverdue || schedule.isCalibrationStep(microStep, total);
}

/** The pass of a rank on its rows. */
async function passOfShare(
  tuned: Tuned,
  { batch, share, counts }: DealtRows,
  options: StepOptions,
): Promise<ValueAndGradients> {
  try {
    const pass = await tuned.valueAndGradients(batch, { ...options, share });
    return counts ? pass : { ...pass, tokens: 0 };
  } finally {
    disposeBatch(batch);
  }
}
