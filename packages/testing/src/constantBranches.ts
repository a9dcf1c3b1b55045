import * as tf from '@tensorflow/tfjs';
import { runPass, type Branch, type Model, type Runnable } from '@dropbp/core';

/**
 * The same, with what the dropped branches give now in place of the branches: a loss whose plain gradient is what DropBP
 * must give. Runs operation by operation, on no engine.
 */
export function withConstantBranches(
  runnable: Runnable,
  tokens: readonly (readonly number[])[],
  dropped: readonly boolean[],
): { readonly runnable: Runnable; readonly dispose: () => void } {
  const { model } = runnable;
  const results: tf.Tensor[] = [];
  const replaced = (apply: (branch: Branch, i: number) => Branch['apply']): Model => ({
    ...model,
    branches: model.branches.map((branch, i) => ({ ...branch, apply: apply(branch, i) })),
  });
  const recording = replaced(({ apply }, i) => (...args) => {
    const result = apply(...args);
    results[i] = tf.keep(result.clone());
    return result;
  });
  tf.tidy(() => {
    const inputIds = tf.tensor2d(tokens.map(row => [...row]), undefined, 'int32'); // prettier-ignore
    runPass({ ...runnable, model: recording }, { inputIds });
  });
  const constant = replaced(({ apply }, i) => (dropped[i] === true ? () => results[i]!.clone() : apply));
  return { runnable: { ...runnable, model: constant }, dispose: () => tf.dispose(results) };
}
