import type * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import { noDividedTexts, withTensors, type Runnable } from '@dropbp/core';
import type { LossFunction } from '../composeOptions.ts';
import { divideBatch, type DivideOptions, type Division } from './divide/divideBatch.ts';
import { dividedPass } from './divide/dividedPass.ts';
import { isByToken } from './divide/partTensors.ts';
import type { PassPlan, ReadyBatch } from './gradientPass.ts';

/** A pass that is ready for its gradients to be taken. */
export interface ReadyPass extends PassPlan {
  /** How the batch was divided; undefined where it is whole. */
  readonly division: Division | undefined;
  /** Frees what belongs to this pass, not the batch or the tensors of the step. */
  readonly dispose: () => void;
}

/** Divides a batch where that is asked for, or saves something, and runs what is in front. */
export function planPass(
  runnable: Runnable,
  ready: ReadyBatch,
  stepTensors: ReadonlyMap<string, tf.Tensor>,
  { dropPrompts, sharedPrompts }: DivideOptions,
): ReadyPass {
  const { host, rows } = ready;
  const ofStep = withTensors(runnable, stepTensors);
  // What differs from row to row, such as a dropout mask, leaves nothing to share.
  const isAlike = ![...stepTensors.values()].some(tensor => isByToken(tensor, rows));
  const options = { dropPrompts, sharedPrompts: sharedPrompts && isAlike };
  const division = host && divideBatch(runnable, { ...host, rows }, options);
  if (host === undefined || division === undefined) {
    return { runnable: ofStep, tokens: ready, lossOf: ready.lossOf, division, dispose: () => undefined };
  }
  const { batch, time } = rows;
  return { ...dividedPass(ofStep, division, { inputIds: host.inputIds, batch, time, stepTensors }), division };
}

/** Whether batches can be divided: by the model, and with the cross-entropy, which reads no other state than those that predict. */
export function dividesTexts({ model }: Pick<Runnable, 'model'>, loss: LossFunction | undefined): boolean {
  return model.takesDividedTexts === true && loss === undefined;
}

/** @throws Problem where prompts cannot be dropped */
export function checkDivides(runnable: Pick<Runnable, 'model'>, loss: LossFunction | undefined): void {
  if (runnable.model.takesDividedTexts !== true) throw noDividedTexts(runnable);
  if (loss === undefined) return;
  throw problem('compose', {
    what: 'prompts cannot be dropped with a loss function, which may read the logits of a prompt',
    fix: 'leave out dropPrompts, or the loss',
  });
}
