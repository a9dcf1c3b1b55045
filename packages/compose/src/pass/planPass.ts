import type * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import { noDividedTexts, withTensors, type Objective, type Runnable } from '@dropbp/core';
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
  const { host, rows, shape } = ready;
  const ofStep = withTensors(runnable, stepTensors);
  // What differs from row to row, such as a dropout mask, leaves nothing to share.
  const isAlike = ![...stepTensors.values()].some(tensor => isByToken(tensor, shape));
  const options = { dropPrompts, sharedPrompts: sharedPrompts && isAlike };
  const division = host && rows && divideBatch(runnable, { ...host, rows }, options);
  if (host === undefined || division === undefined) {
    const { lossOf, metricsOf } = ready;
    return { runnable: ofStep, tokens: ready, lossOf, metricsOf, division, dispose: () => undefined };
  }
  return { ...dividedPass(ofStep, division, { inputIds: host.inputIds, ...shape, stepTensors }, ready), division };
}

/** Whether batches can be divided: by the model, and by the objective, which reads no other state than those that predict. */
export function dividesTexts({ model }: Pick<Runnable, 'model'>, objective: Objective): boolean {
  return model.takesDividedTexts === true && objective.dividesTexts === true;
}

/** @throws Problem where prompts cannot be dropped */
export function checkDivides(runnable: Pick<Runnable, 'model'>, objective: Objective): void {
  const { name } = objective;
  if (runnable.model.takesDividedTexts !== true) throw noDividedTexts(runnable);
  if (objective.dividesTexts === true) return;
  const reads = objective.labelledRows === undefined ? 'which has no prompts' : 'which may read the logits of a prompt';
  throw problem('compose', {
    what: `prompts cannot be dropped with ${name === 'a loss function' ? name : `the objective '${name}'`}, ${reads}`,
    fix: name === 'a loss function' ? 'leave out dropPrompts, or the loss' : 'leave out dropPrompts',
  });
}

/** @throws Problem for an objective that cannot share prompts */
export function checkShares({ name, dividesTexts }: Objective): void {
  if (dividesTexts === true) return;
  throw problem('compose', {
    what: `prompts cannot be shared with the objective '${name}', which does not divide texts`,
    fix: 'leave out sharedPrompts',
  });
}
