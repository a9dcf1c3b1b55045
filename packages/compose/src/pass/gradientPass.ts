import * as tf from '@tensorflow/tfjs';
import {
  receivesGradient,
  runPass,
  trainingSteps,
  type Batch,
  type BatchShape,
  type KeyValue,
  type LabelledRows,
  type PassTokens,
  type Runnable,
  type StepOf,
} from '@dropbp/core';
import type { Drops } from '../drops/startDropping.ts';
import type { Loss } from '../tuned.ts';
import type { HostBatch } from './divide/batchTexts.ts';
import type { LossOfPass } from './lossOfPass.ts';
import { recordedGradients } from './recordedGradients.ts';

/** A batch that was checked, with its labels on the host. */
export interface ReadyBatch extends LossOfPass {
  readonly inputIds: tf.Tensor;
  readonly attentionMask: Batch['attentionMask'];
  readonly positions: Batch['positions'];
  readonly tokenTypes: Batch['tokenTypes'];
  readonly shape: BatchShape;
  /** The positions with labels that count; undefined where the objective has none. */
  readonly rows: LabelledRows | undefined;
  /** How much the batch counts in means. */
  readonly weight: number;
  /** Labels that count. */
  readonly tokens: number;
  /** Its tokens on the host, where they were asked for. */
  readonly host?: Omit<HostBatch, 'rows'> | undefined;
}

/** What the gradients of a batch are taken of: all of its tokens, or what is left of a divided batch. */
export interface PassPlan extends LossOfPass {
  /** With the tensors of the step. */
  readonly runnable: Runnable;
  readonly tokens: PassTokens;
  /** What tokens that have run already have left for a branch. @defaultValue nothing */
  readonly front?: ((branch: number) => KeyValue | undefined) | undefined;
}

/** Takes a parameter's gradient, which it owns, by the parameter's name. */
export type OnGradient = (name: string, gradient: tf.Tensor) => void;

/** Loss and gradients of one pass. The caller owns all of them. */
export interface Pass {
  readonly value: tf.Scalar;
  readonly gradients: Map<string, tf.Tensor>;
  readonly metrics?: ReadonlyMap<string, tf.Scalar>;
}

/** The loss alone, with nothing recorded. */
export function lossPass(runnable: Runnable, batch: ReadyBatch): Loss {
  let metrics: ReadonlyMap<string, tf.Scalar> | undefined;
  const value = tf.tidy(() => {
    const hidden = runPass(runnable, batch);
    const loss = batch.lossOf(runnable, hidden);
    metrics = batch.metricsOf(runnable, hidden);
    return loss as tf.Scalar;
  });
  return { value, weight: batch.weight, tokens: batch.tokens, ...(metrics && { metrics }) };
}

/**
 * The loss and the gradients that reach a parameter past the dropped branches.
 *
 * @param onGradient - takes the gradients that are final before the pass is over, which are not among the result's
 */
export function gradientPass(
  { runnable, tokens, lossOf, metricsOf, front }: PassPlan,
  parameters: ReadonlyMap<string, tf.Variable>,
  { dropped, gradientScales, parameterScales }: Drops,
  onGradient?: OnGradient,
): Pass {
  let metrics: ReadonlyMap<string, tf.Scalar> | undefined;
  const lossOfSteps = (steps: StepOf): tf.Tensor => {
    const hidden = runPass(runnable, tokens, steps);
    const value = lossOf(runnable, hidden);
    metrics = metricsOf(runnable, hidden);
    return value;
  };
  if (!receivesGradient(runnable, dropped)) {
    const value = tf.tidy(() => lossOfSteps(trainingSteps(runnable, { front })) as tf.Scalar);
    return { value, gradients: new Map(), ...(metrics && { metrics }) };
  }
  const anchor = onGradient && tf.tidy(() => tf.variable(tf.scalar(0)));
  const early = onGradient && anchor && { anchor, take: onGradient };
  // Tensors, and only where they do something: an engine then compiles a branch once for all factors.
  const scalars = (scales: readonly number[] | undefined): (tf.Scalar | undefined)[] | undefined =>
    scales?.map((scale, i) => (dropped[i] === true || scale === 1 ? undefined : tf.scalar(scale)));
  const scales = { gradientScales: scalars(gradientScales), parameterScales: scalars(parameterScales) };
  const steps = trainingSteps(runnable, { dropped, ...scales, early, front });
  try {
    const { value, gradients: all } = recordedGradients(
      () => lossOfSteps(steps),
      [...parameters.values(), ...(anchor ? [anchor] : [])],
    );
    all[parameters.size]?.dispose(); // the anchor's
    const gradients = new Map<string, tf.Tensor>();
    [...parameters.keys()].forEach((name, i) => {
      if (all[i]) gradients.set(name, all[i]);
    });
    return { value: value as tf.Scalar, gradients, ...(metrics && { metrics }) };
  } finally {
    tf.dispose([scales, anchor]);
  }
}
