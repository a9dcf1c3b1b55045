import * as tf from '@tensorflow/tfjs';
import {
  runPass,
  trainsEmbedding,
  type PassStep,
  type Runnable,
  type Scope,
  type StepOf,
  type BranchRun,
} from '@dropbp/core';
import type { ReadyBatch } from '../pass/gradientPass.ts';

/** Branches of one input: one, or those of a parallel block. */
export interface Stage {
  /** `[batch, time, hiddenSize]` */
  readonly input: tf.Tensor;
  /** Those of them whose input was wanted. */
  readonly branches: readonly StageBranch[];
  /** Whether something before the stage takes a gradient. */
  readonly needsInput: boolean;
}

export interface StageBranch {
  /** Its number in the model. */
  readonly index: number;
  /** Its `stream` is undefined for the first branch of a parallel block, and where there is only one. */
  readonly run: BranchRun;
}

/** A forward pass with nothing recorded, and what each branch reads. */
export interface KeptForward {
  readonly stages: readonly Stage[];
  /** `[batch, time, hiddenSize]`, before the final norm. */
  readonly output: tf.Tensor;
  dispose(): void;
}

/** @param isKept - the branches whose input is wanted: those that lead to something trainable, and those whose joins do */
export function keptForward(runnable: Runnable, batch: ReadyBatch, isKept: readonly boolean[]): KeptForward {
  const stages: { input: tf.Tensor; branches: StageBranch[]; needsInput: boolean }[] = [];
  const kept: tf.Tensor[] = [];
  const keep = (tensor: tf.Tensor): tf.Tensor => {
    const copy = tf.keep(tensor.clone());
    kept.push(copy);
    return copy;
  };
  let shared: Scope | undefined;
  let last: tf.Tensor | undefined;
  const asItIs: PassStep = {};
  const keepInput: StepOf = (index, { input, run }) => {
    if (isKept[index] !== true) return asItIs;
    shared ??= Object.fromEntries(Object.entries(run.shared).map(([name, tensor]) => [name, keep(tensor)]));
    if (input !== last) {
      stages.push({ input: keep(input), branches: [], needsInput: stages.length > 0 || trainsEmbedding(runnable) });
    }
    last = input;
    const stage = stages.at(-1)!;
    // What the stream holds changes no gradient, but a branch that adds to another tensor than its input must see one.
    const stream = run.stream === input ? undefined : keep(input);
    stage.branches.push({ index, run: { ...run, shared, stream } });
    return asItIs;
  };
  try {
    const output = runPass(runnable, batch, keepInput);
    kept.push(output);
    return { stages, output, dispose: () => tf.dispose(kept) };
  } catch (error) {
    tf.dispose(kept);
    throw error;
  }
}
