import * as tf from '@tensorflow/tfjs';
import { turn } from '@dropbp/basics';
import {
  branchPullback,
  encodeOnce,
  hasTrainable,
  isTrainable,
  joinPullback,
  joinScope,
  leadsToTrainable,
  type BranchPullback,
  type Pullback,
  type Runnable,
} from '@dropbp/core';
import type { ReadyBatch } from '../pass/gradientPass.ts';
import { recordedGradients } from '../pass/recordedGradients.ts';
import { gradientChanges, WHOLE, type GradientChanges } from './gradientChanges.ts';
import { keptForward, type KeptForward, type Stage, type StageBranch } from './keptForward.ts';
import { ownParameters } from './ownParameters.ts';
import { spreadGradients, type SpreadGradients } from './spreadGradients.ts';
import { tensorSums, type TensorSums } from './tensorSums.ts';

/**
 * How much the norms of all gradients change when exactly one branch is dropped, for each branch; 0 for one that leads to
 * nothing trainable. The authors run a whole pass without each branch for it, although what is dropped never changes the
 * forward pass. This is one forward pass and one sweep back.
 *
 * Let xₖ be the residual stream before branch k, xₖ₊₁ = xₖ + fₖ(xₖ), and aₖ the gradient that arrives there,
 * aₖ = aₖ₊₁ + Jₖᵀaₖ₊₁. Without branch l, the gradient at xₗ lacks d = Jₗᵀaₗ₊₁. What is missing travels down as a gradient
 * does, d ← d + Jₖᵀd, and of the gradient g of a parameter θ of branch k < l the part δ = (∂fₖ/∂θ)ᵀd is missing. All
 * gradients of branch l itself are missing, those of branches above it are what they were. So the sweep takes a and the d of
 * every branch above through each branch, backward only: L(L + 1)/2 backward passes of a branch instead of L², and two
 * forward passes instead of L + 1, as each branch runs once more to keep what its backward pass needs.
 * Where a branch has a join j, as in a post-norm model, xₖ₊₁ = j(xₖ, fₖ(xₖ)). What passes without the branch comes through
 * the join alone. The gradients of the join's parameters stay whole without its branch.
 * How much ‖g‖ changes follows from g and δ, not from two norms that are nearly the same (see `gradientChanges`).
 *
 * Memory: one tensor of the stream's size for each branch, xₖ before the sweep has passed it and d afterwards; what one
 * branch keeps for its backward pass; the gradients of one branch. Less than a training step without drops.
 * The d of all branches are not one batch: with 128 tokens or more, products are as fast one after the other.
 */
export async function measureSensitivities(
  runnable: Runnable,
  parameters: ReadonlyMap<string, tf.Variable>,
  batch: ReadyBatch,
): Promise<number[]> {
  const leads = leadsToTrainable(runnable);
  const encoded = encodeOnce(runnable);
  const ready = encoded.runnable;
  const own = ownParameters(ready, parameters);
  const changes = gradientChanges();
  const spread = spreadGradients(encoded, parameters, batch, changes);
  const arriving = tensorSums<number>();
  let forward: KeptForward | undefined;
  try {
    // A branch that leads nowhere may have a join with parameters.
    const isSwept = ready.model.branches.map(
      (branch, i) => leads[i] === true || hasTrainable(joinScope(branch, ready.branchScopes[i]!)),
    );
    forward = keptForward(ready, batch, isSwept);
    arriveAtTheEnd(ready, batch, forward.output, arriving, spread);
    for (const stage of forward.stages.toReversed()) {
      sweep(stage, { own, arriving, changes, spread });
      await changes.readBack();
      await turn(); // a signal is not to wait for all of them
    }
    await spread.readBack(arriving);
    return leads.map((isLeading, branch) => (isLeading ? changes.sensitivity(branch) : 0));
  } finally {
    for (const part of [changes, spread, arriving, forward, encoded]) part?.dispose();
  }
}

/** Puts the gradient of the loss behind the last branch. */
function arriveAtTheEnd(
  runnable: Runnable,
  { lossOf }: ReadyBatch,
  output: tf.Tensor,
  arriving: TensorSums<number>,
  spread: SpreadGradients,
): void {
  const trained = [...new Set(Object.values(runnable.outerScope).filter(isTrainable))];
  const { value, gradients } = recordedGradients(() => lossOf(runnable, output), [output, ...trained]);
  value.dispose();
  const [atOutput, ...ofTrained] = gradients;
  if (atOutput) arriving.add(WHOLE, atOutput);
  ofTrained.forEach((gradient, i) => {
    if (gradient) spread.add(WHOLE, trained[i]!, gradient);
  });
}

/** Where a sweep takes its gradients. */
interface Sweep {
  readonly own: ReadonlyMap<tf.Tensor, string>;
  readonly arriving: TensorSums<number>;
  readonly changes: GradientChanges;
  readonly spread: SpreadGradients;
}

/** Takes what arrives behind the branches of a stage through them and past them. */
function sweep({ input, branches, needsInput }: Stage, to: Sweep): void {
  const behind = to.arriving.take();
  try {
    for (const branch of branches) {
      const join = branch.run.branch.join && needsInput ? joinPullback(input, branch.run) : undefined;
      sweepBranch(branch, { whole: branchPullback(input, branch.run, needsInput), join }, behind, to);
    }
  } finally {
    tf.dispose([...behind.values()]);
  }
}

/** The backward passes of a branch. */
interface Pullbacks {
  readonly whole: BranchPullback;
  /** Past the branch, through its join; undefined where its result is added, or the gradient of its input is not wanted. */
  readonly join: Pullback | undefined;
}

function sweepBranch(
  { index, run }: StageBranch,
  { whole: pullback, join }: Pullbacks,
  behind: ReadonlyMap<number, tf.Tensor>,
  { own, arriving, changes, spread }: Sweep,
): void {
  const isPastIt = run.stream === undefined; // of the branches of a stage, the first brings what passes them all
  const ofJoin = joinScope(run.branch, run.scope); // what it reads keeps its gradient without the branch
  const lost: string[] = [];
  const whole = new Map<string, tf.Tensor>();
  try {
    for (const [key, adjoint] of behind) {
      const pulled = pullback.pull(adjoint);
      const missing = key === WHOLE ? whole : new Map<string, tf.Tensor>();
      for (const [name, gradient] of pulled.parameters) {
        const tensor = run.scope[name]!;
        const ownName = own.get(tensor);
        const isLost = key === WHOLE && !(name in ofJoin);
        if (ownName !== undefined) {
          missing.set(ownName, gradient);
          if (isLost) lost.push(ownName);
        } else {
          if (isLost) spread.add(index, tensor, gradient.clone());
          spread.add(key, tensor, gradient);
        }
      }
      if (key === WHOLE) {
        changes.whole(whole);
        changes.allMissing(index, lost);
      } else {
        changes.missing(key, whole, missing);
        tf.dispose([...missing.values()]);
      }
      if (pulled.input === undefined) continue;
      if (key === WHOLE) {
        const [pastIt] = join?.pull(adjoint) ?? [adjoint];
        const through = isPastIt ? tf.sub(pulled.input, pastIt!) : pulled.input.clone();
        if (pastIt !== adjoint) pastIt!.dispose();
        arriving.add(key, pulled.input); // first: what comes first is taken through the next branches first
        arriving.add(index, through);
      } else arriving.add(key, pulled.input);
    }
  } finally {
    pullback.dispose();
    join?.dispose();
    tf.dispose([...whole.values()]);
  }
}
