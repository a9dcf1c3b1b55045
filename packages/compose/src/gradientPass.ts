import * as tf from '@tensorflow/tfjs';
import { causalLoss, hiddenStates, receivesGradient, type Batch, type LabelledRows, type Runnable } from '@dropbp/core';

/** A batch that was checked, with its labels on the host. */
export interface ReadyBatch {
  readonly inputIds: tf.Tensor;
  readonly attentionMask: Batch['attentionMask'];
  readonly rows: LabelledRows;
}

/** Loss and gradients of one pass. The caller owns all of them. */
export interface Pass {
  readonly value: tf.Scalar;
  readonly gradients: Map<string, tf.Tensor>;
}

/** The loss alone, with nothing recorded. */
export function lossPass(runnable: Runnable, { inputIds, attentionMask, rows }: ReadyBatch): tf.Scalar {
  return tf.tidy(() => causalLoss(runnable, hiddenStates(runnable, inputIds, { attentionMask }), rows) as tf.Scalar);
}

/** The loss and the gradients that reach a parameter past the dropped branches. */
export function gradientPass(
  runnable: Runnable,
  parameters: ReadonlyMap<string, tf.Variable>,
  batch: ReadyBatch,
  dropped: readonly boolean[],
): Pass {
  if (!receivesGradient(runnable, dropped)) return { value: lossPass(runnable, batch), gradients: new Map() };
  const { inputIds, attentionMask, rows } = batch;
  const { value, grads } = tf
    .engine()
    .gradients(
      () => causalLoss(runnable, hiddenStates(runnable, inputIds, { attentionMask, dropped }), rows),
      [...parameters.values()],
      undefined,
      true,
    );
  const names = [...parameters.keys()];
  const gradients = new Map<string, tf.Tensor>();
  // tfjs's types do not say that a variable without a path to the loss has no gradient.
  (grads as (tf.Tensor | null | undefined)[]).forEach((gradient, i) => {
    if (gradient) gradients.set(names[i]!, gradient);
  });
  return { value: value as tf.Scalar, gradients };
}
