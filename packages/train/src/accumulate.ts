import type * as tf from '@tensorflow/tfjs';
import type { Tuned } from '@dropbp/compose';
import { leadsToTrainable, type Batch } from '@dropbp/core';
import type { BatchSource } from './batchSource.ts';
import { disposeBatch } from './disposeBatch.ts';
import type { EarlyUpdates } from './earlyUpdates.ts';
import { gradientWindow } from './gradientWindow.ts';
import type { TrainPlan } from './trainOptions.ts';

/** The micro-batches of a step, put together. The caller owns value and gradients. */
export interface Accumulated {
  /** Mean loss. */
  readonly value: tf.Scalar;
  readonly gradients: Map<string, tf.Tensor>;
  readonly tokens: number;
  readonly droppedBranches: readonly (readonly boolean[])[];
  /** FLOPs of all branches that lead to something trainable, forward. */
  readonly flops: number;
  /** Those of the dropped ones. */
  readonly droppedFlops: number;
  /** Time that DropBP's measuring took. */
  readonly calibrationSeconds: number;
}

/**
 * Runs the micro-batches of a step and disposes them.
 *
 * @param onGradient - takes gradients before the pass is over
 */
export async function accumulate(
  tuned: Tuned,
  source: BatchSource,
  { steps, accumulation, seed, signal }: TrainPlan,
  step: number,
  onGradient?: EarlyUpdates['onGradient'],
): Promise<Accumulated> {
  const leads = leadsToTrainable(tuned);
  const window = gradientWindow();
  const droppedBranches: (readonly boolean[])[] = [];
  let flops = 0;
  let droppedFlops = 0;
  let calibrationSeconds = 0;
  try {
    for (let i = 0; i < accumulation; i++) {
      signal?.throwIfAborted();
      const batch = await source.next(step);
      try {
        const microStep = (step - 1) * accumulation + i;
        if (tuned.dropSchedule?.isCalibrationStep(microStep, steps * accumulation) === true) {
          const startedMs = performance.now();
          await tuned.calibrate(batch);
          calibrationSeconds += (performance.now() - startedMs) / 1000;
        }
        const pass = await tuned.valueAndGradients(batch, { step: microStep, seed, ...(onGradient && { onGradient }) });
        window.add(pass);
        droppedBranches.push(pass.dropped);
        const costs = branchFlops(tuned, batch).filter((_, branch) => leads[branch]);
        const dropped = pass.dropped.filter((_, branch) => leads[branch]);
        flops += sum(costs);
        droppedFlops += sum(costs.filter((_, i) => dropped[i] === true));
      } finally {
        disposeBatch(batch);
      }
    }
    return { ...window.take(), droppedBranches, flops, droppedFlops, calibrationSeconds };
  } finally {
    window.dispose();
  }
}

function branchFlops({ model }: Tuned, { inputIds }: Batch): number[] {
  const [batch, time] = inputIds.shape as [number, number];
  return model.branches.map(branch => branch.flops({ batch, time }));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
