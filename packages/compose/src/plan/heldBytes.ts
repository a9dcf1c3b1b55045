import * as tf from '@tensorflow/tfjs';
import {
  encodeOnce,
  isTrainable,
  leadsToTrainable,
  runBranch,
  tapePullback,
  type BatchShape,
  type BranchRun,
  type GradientPath,
  type Runnable,
} from '@dropbp/core';

/**
 * The bytes that each branch holds from its forward pass to its backward pass, if it is kept, beyond what it holds if it is
 * dropped: measured, once for branches that
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
  const kinds = model.branches.map(({ apply, join }) => ({ apply, join: join?.apply }));
  const held = model.branches.map((branch, i) => {
    if (leads[i] !== true) return 0;
    const scope = branchScopes[i]!;
    const tensors = Object.entries(scope).map(([name, t]) => [name, t.shape, isTrainable(t)]);
    const kind = kinds.findIndex(({ apply, join }) => apply === branch.apply && join === branch.join?.apply);
    const key = JSON.stringify([kind, isCheckpointed?.(i), tensors]);
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
  const whole = ownBytes(x, run, 'record');
  return run.branch.join === undefined ? whole : Math.max(0, whole - ownBytes(x, run, 'shortcut'));
}

function ownBytes(x: tf.Tensor, run: BranchRun, path: GradientPath): number {
  // What a second run on another input holds again is not the branch's own: weights, and constants of a compiled function.
  const shared = savedBytes(x, run, path);
  const other = tf.neg(x);
  const own = savedBytes(other, run, path);
  other.dispose();
  return [...own].reduce((sum, [dataId, bytes]) => (shared.has(dataId) ? sum : sum + bytes), 0);
}

/** The bytes that the backward pass needs, by what they belong to. */
function savedBytes(x: tf.Tensor, run: BranchRun, path: GradientPath): Map<object, number> {
  const trained = Object.values(run.scope).filter(isTrainable);
  const needs = { input: true, stream: true };
  const pullback = tapePullback(() => runBranch(x, run, path, needs), [x, ...trained]);
  const bytes = pullback.saved.map(({ dataId, size, dtype }): [object, number] => [
    dataId,
    size * tf.util.bytesPerElement(dtype),
  ]);
  pullback.dispose();
  return new Map(bytes);
}
