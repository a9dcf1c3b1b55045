import * as tf from '@tensorflow/tfjs';
import { receivesGradient, runPass, trainingSteps, type Batch, type LabelledRows, type Runnable } from '@dropbp/core';
import type { Drops } from '../drops/startDropping.ts';
import type { LossOfPass } from './lossOfPass.ts';
import { recordedGradients } from './recordedGradients.ts';

/** A batch that was checked, with its labels on the host. */
export interface ReadyBatch {
  readonly inputIds: tf.Tensor;
  readonly attentionMask: Batch['attentionMask'];
  readonly positions: Batch['positions'];
  readonly rows: LabelledRows;
  readonly lossOf: LossOfPass;
}

/** Takes a parameter's gradient, which it owns, by the parameter's name. */
export type OnGradient = (name: string, gradient: tf.Tensor) => void;

/** Loss and gradients of one pass. The caller owns all of them. */
export interface Pass {
  readonly value: tf.Scalar;
  readonly gradients: Map<string, tf.Tensor>;
}

/** The loss alone, with nothing recorded. */
export function lossPass(runnable: Runnable, batch: ReadyBatch): tf.Scalar {
  return tf.tidy(() => batch.lossOf(runnable, runPass(runnable, batch)) as tf.Scalar);
}

/**
 * The loss and the gradients that reach a parameter past the dropped branches.
 *
 * @param onGradient - takes the gradients that are final before the pass is over, which are not among the result's
 */
export function gradientPass(
  runnable: Runnable,
  parameters: ReadonlyMap<string, tf.Variable>,
  batch: ReadyBatch,
  { dropped, gradientScales, parameterScales }: Drops,
  onGradient?: OnGradient,
): Pass {
  if (!receivesGradient(runnable, dropped)) return { value: lossPass(runnable, batch), gradients: new Map() };
  const anchor = onGradient && tf.tidy(() => tf.variable(tf.scalar(0)));
  const early = onGradient && anchor && { anchor, take: onGradient };
  // Tensors, and only where they do something: an engine then compiles a branch once for all factors.
  const scalars = (scales: readonly number[] | undefined): (tf.Scalar | undefined)[] | undefined =>
    scales?.map((scale, i) => (dropped[i] === true || scale === 1 ? undefined : tf.scalar(scale)));
  const scales = { gradientScales: scalars(gradientScales), parameterScales: scalars(parameterScales) };
  const steps = trainingSteps(runnable, { dropped, ...scales, early });
  try {
    const { value, gradients: all } = recordedGradients(
      () => batch.lossOf(runnable, runPass(runnable, batch, steps)),
      [...parameters.values(), ...(anchor ? [anchor] : [])],
    );
    all[parameters.size]?.dispose(); // the anchor's
    const gradients = new Map<string, tf.Tensor>();
    [...parameters.keys()].forEach((name, i) => {
      if (all[i]) gradients.set(name, all[i]);
    });
    return { value: value as tf.Scalar, gradients };
  } finally {
    tf.dispose([scales, anchor]);
  }
}
