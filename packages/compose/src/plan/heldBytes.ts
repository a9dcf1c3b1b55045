import * as tf from '@tensorflow/tfjs';
import {
  encodeOnce,
  isTrainable,
  leadsToTrainable,
  runBranch,
  tapePullback,
  type BatchShape,
  type BranchRun,
  type Runnable,
} from '@dropbp/core';

/**
 * The bytes that each branch holds from its forward pass to its backward pass, if it is kept: measured, once for branches that
 * do the same, on random numbers. 0 for a branch that leads to nothing trainable.
 */
export function heldBytes(runnable: Runnable, { batch, time }: BatchShape): number[] {
  const leads = leadsToTrainable(runnable);
  const encoded = encodeOnce(runnable);
  const { model, hooks, branchScopes, virtualTokens = 0, virtualKeys = 0, isCheckpointed } = encoded.runnable;
  const shape = { batch, time: time + virtualTokens };
  const x = tf.randomNormal([shape.batch, shape.time, model.hiddenSize], 0, 1, 'float32', 1);
  const shared = model.shared({ ...shape, offset: virtualKeys });
  const known = new Map<string, number>();
  const applies = [...new Set(model.branches.map(({ apply }) => apply))];
  const held = model.branches.map((branch, i) => {
    if (leads[i] !== true) return 0;
    const scope = branchScopes[i]!;
    const tensors = Object.entries(scope).map(([name, t]) => [name, t.shape, isTrainable(t)]);
    const key = JSON.stringify([applies.indexOf(branch.apply), isCheckpointed?.(i), tensors]);
    const bytes =
      known.get(key) ?? measureBranch(x, { branch, scope, hooks, shared, isCheckpointed: isCheckpointed?.(i) });
    known.set(key, bytes);
    return bytes;
  });
  tf.dispose([x, ...Object.values(shared)]);
  encoded.dispose();
  return held;
}

function measureBranch(x: tf.Tensor, run: BranchRun): number {
  // What a second run on another input holds again is not the branch's own: weights, and constants of a compiled function.
  const shared = savedBytes(x, run);
  const other = tf.neg(x);
  const own = savedBytes(other, run);
  other.dispose();
  return [...own].reduce((sum, [dataId, bytes]) => (shared.has(dataId) ? sum : sum + bytes), 0);
}

/** The bytes that the backward pass needs, by what they belong to. */
function savedBytes(x: tf.Tensor, run: BranchRun): Map<object, number> {
  const trained = Object.values(run.scope).filter(isTrainable);
  const needs = { input: true, stream: true };
  const pullback = tapePullback(() => runBranch(x, run, 'record', needs), [x, ...trained]);
  const bytes = pullback.saved.map(({ dataId, size, dtype }): [object, number] => [
    dataId,
    size * tf.util.bytesPerElement(dtype),
  ]);
  pullback.dispose();
  return new Map(bytes);
}
