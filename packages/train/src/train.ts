import type { Tuned } from '@dropbp/compose';
import type { Batch } from '@dropbp/core';
import { batchSource, type BatchSource } from './batchSource.ts';
import { evaluateLoss } from './evaluateLoss.ts';
import { accumulate } from './accumulate.ts';
import { settle, type TrainOptions, type TrainPlan } from './trainOptions.ts';
import type { TrainStep } from './trainStep.ts';
import { updateParameters } from './updateParameters.ts';

/**
 * Trains what the adapter made trainable, and reports each step when it is done. Leaving the loop early ends the run, with
 * the parameters as the last step left them.
 *
 * Each batch is one micro-batch and is disposed when it was used. With DropBP, each micro-batch draws its own branches,
 * by its number in the run, and sensitivities are measured on the micro-batch that `dropSchedule.calibrationStep` names
 * among all `steps · accumulation`, before its own pass. A step is read back from the device once.
 *
 * @throws Problem on options that are not usable, at once; while training: when the batches end before the steps do, or
 * loss or gradients are not finite, with the parameters of the step before
 *
 * @example
 * ```ts
 * for await (const { step, loss } of train(tuned, batches, { steps: 100, learningRate: 1e-3 })) console.log(step, loss);
 * ```
 */
export function train(
  tuned: Tuned,
  batches: Iterable<Batch> | AsyncIterable<Batch>,
  options: TrainOptions,
): AsyncGenerator<TrainStep, void, undefined> {
  return run(tuned, batches, settle(options));
}

async function* run(
  tuned: Tuned,
  batches: Iterable<Batch> | AsyncIterable<Batch>,
  plan: TrainPlan,
): AsyncGenerator<TrainStep, void, undefined> {
  const source = batchSource(batches, plan.steps);
  try {
    for (let step = 1; step <= plan.steps; step++) yield await oneStep(tuned, source, plan, step);
  } finally {
    if (plan.ownsOptimizer) plan.optimizer.dispose();
    await source.close();
  }
}

async function oneStep(tuned: Tuned, source: BatchSource, plan: TrainPlan, step: number): Promise<TrainStep> {
  const startedMs = performance.now();
  const learningRate = plan.learningRate * plan.schedule(step - 1, plan.steps);
  const window = await accumulate(tuned, source, plan, step);
  const update = await updateParameters(tuned, window, { ...plan, step, learningRate });
  const seconds = (performance.now() - startedMs) / 1000;
  const rates = tuned.dropSchedule?.rates;
  const { evaluate } = plan;
  const isEvaluated = evaluate !== undefined && (step % evaluate.every === 0 || step === plan.steps);
  return {
    step,
    learningRate,
    seconds,
    ...update,
    tokens: window.tokens,
    dropped: window.droppedFlops / window.flops,
    droppedBranches: window.droppedBranches,
    ...(rates && { rates }),
    ...(isEvaluated && { heldOutLoss: await evaluateLoss(tuned, evaluate.batches()) }),
  };
}
