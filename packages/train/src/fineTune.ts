import type { Tuned } from '@dropbp/compose';
import type { ObjectiveBatch } from '@dropbp/core';
import { train } from './train.ts';
import type { TrainOptions } from './options/trainOptions.ts';
import type { TrainStep } from './step/trainStep.ts';

/** The evaluation with the lowest held-out loss. */
export interface BestEvaluation {
  /** Number of the step that it followed. */
  readonly step: number;
  /** Its mean loss over the labels that count. */
  readonly heldOutLoss: number;
}

/** What {@link fineTune} has done. */
export interface Summary {
  /** Number of the last step, counted from the start of the run, steps before a resumption included. */
  readonly steps: number;
  /** Loss of the first step of this call, before its update. NaN if no step was left to do. */
  readonly firstLoss: number;
  /** Mean loss over the last tenth of this call's steps, at least one. NaN if no step was left to do. */
  readonly lastLoss: number;
  /** Mean loss on held-out batches, after the last evaluation. Absent without `evaluate`. */
  readonly heldOutLoss?: number;
  /** The lowest held-out loss of this call and the step that it followed. Absent without `evaluate`. */
  readonly best?: BestEvaluation;
  /** Labels that this call has trained on. */
  readonly tokens: number;
  /** Time of this call's steps in seconds, without evaluations. */
  readonly seconds: number;
  /** Mean share of the backward pass, in FLOPs, that this call's steps dropped. */
  readonly dropped: number;
  /** Why the run ended: its steps are done, its patience is exhausted, or it was stopped. */
  readonly ended: 'steps' | 'patience' | 'stop';
}

/**
 * Trains to the end and says what came of it. `train` is the same, step by step; `onStep` hears of each step here.
 *
 * @throws Problem as `train` does
 *
 * @example
 * ```ts
 * const { lastLoss, seconds } = await fineTune(tuned, batches, { steps: 100, learningRate: 1e-3 });
 * ```
 */
export async function fineTune(
  tuned: Tuned,
  batches: Iterable<ObjectiveBatch> | AsyncIterable<ObjectiveBatch>,
  options: TrainOptions,
): Promise<Summary> {
  const done: TrainStep[] = [];
  for await (const step of train(tuned, batches, options)) done.push(step);
  const last = done.at(-1);
  const evaluated = done.flatMap(({ step, heldOutLoss }) => (heldOutLoss === undefined ? [] : [{ step, heldOutLoss }]));
  const best = evaluated.reduce<Summary['best']>(
    (lowest, next) => (lowest === undefined || next.heldOutLoss < lowest.heldOutLoss ? next : lowest),
    undefined,
  );
  const tail = done.slice(-Math.max(1, Math.floor(done.length / 10)));
  return {
    steps: last?.step ?? options.steps,
    firstLoss: done[0]?.loss ?? NaN,
    lastLoss: mean(tail.map(({ loss }) => loss)),
    ...(evaluated.length > 0 && { heldOutLoss: evaluated.at(-1)!.heldOutLoss }),
    ...(best && { best }),
    tokens: done.reduce((sum, { tokens }) => sum + tokens, 0),
    seconds: done.reduce((sum, { seconds }) => sum + seconds, 0),
    dropped: done.length === 0 ? 0 : mean(done.map(({ dropped }) => dropped)),
    ended: last?.ended ?? (options.stop?.aborted === true ? 'stop' : 'steps'),
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
