import type * as tf from '@tensorflow/tfjs';
import type { DropFlops, DropRun, StepOptions, Tuned, ValueAndGradients } from '@dropbp/compose';
import type { BatchSource } from './batchSource.ts';
import type { DealtRows, RowDealer } from '../comm/rowDealer.ts';
import { disposeBatch } from './disposeBatch.ts';
import type { EarlyUpdates } from './earlyUpdates.ts';
import { gradientWindow } from './gradientWindow.ts';
import type { TrainPlan } from '../options/trainOptions.ts';

/** Where micro-batches come from, who deals their rows, and what they drop. */
export interface Feed {
  readonly source: BatchSource;
  readonly dealer: RowDealer;
  readonly drops: DropRun;
}

/** The micro-batches of a step, put together. The caller owns value and gradients. */
export interface Accumulated extends DropFlops {
  /** Mean loss. */
  readonly value: tf.Scalar;
  readonly gradients: Map<string, tf.Tensor>;
  /** Means of what the objective tells, by name. The caller owns them. */
  readonly metrics: Map<string, tf.Tensor>;
  /** How much the micro-batches count, in the objective's unit. */
  readonly weight: number;
  readonly tokens: number;
  readonly passedTokens: number;
  readonly droppedBranches: readonly (readonly boolean[])[];
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
  { source, dealer, drops }: Feed,
  { steps, accumulation, seed, signal, comm, optimizer }: TrainPlan,
  step: number,
  onGradient?: EarlyUpdates['onGradient'],
): Promise<Accumulated> {
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
        const startedMs = performance.now();
        const hasMeasured = await drops.measure(microStep, batch, (name, parameter) =>
          optimizer.divisorOf?.(name, parameter),
        );
        if (hasMeasured) calibrationSeconds += (performance.now() - startedMs) / 1000;
        const options = { step: microStep, seed, ...(onGradient && { onGradient }) };
        const pass =
          comm.size === 1
            ? await tuned.valueAndGradients(batch, options)
            : await passOfShare(tuned, await dealer.deal(batch, microStep + 1 === steps * accumulation), options);
        window.add(pass);
        droppedBranches.push(pass.dropped);
        passedTokens += batch.inputIds.size;
        flops += pass.flops;
        droppedFlops += pass.droppedFlops;
      } finally {
        disposeBatch(batch);
      }
    }
    return { ...window.take(), passedTokens, droppedBranches, flops, droppedFlops, calibrationSeconds };
  } finally {
    window.dispose();
  }
}

/** The pass of a rank on its rows. */
async function passOfShare(
  tuned: Tuned,
  { batch, share, counts }: DealtRows,
  options: StepOptions,
): Promise<ValueAndGradients> {
  try {
    const pass = await tuned.valueAndGradients(batch, { ...options, share });
    return counts ? pass : { ...pass, weight: 0, tokens: 0, flops: 0, droppedFlops: 0 };
  } finally {
    disposeBatch(batch);
  }
}
