import * as tf from '@tensorflow/tfjs';
import { activeEngine } from '../../engine.ts';
import { isTrainable } from '../../trainable.ts';
import {
  compiledBranch,
  compiledInputs,
  runBranch,
  type BranchRun,
  type CutRun,
  type GradientNeeds,
} from './runBranch.ts';
import { tapePullback, type Pullback } from './tapePullback.ts';

/** What flows back through a branch. The caller owns the tensors. */
export interface PulledBack {
  /**
   * The gradient of the branch's input, the shortcut's part included; without that part where the branch has another
   * `stream`. Undefined where it was not asked for.
   */
  readonly input: tf.Tensor | undefined;
  /** Those of the trainable tensors in the branch's scope, by their names there. */
  readonly parameters: ReadonlyMap<string, tf.Tensor>;
}

/** The backward pass of one run of a branch, to be run as often as one likes. */
export interface BranchPullback {
  /**
   * Runs it once.
   *
   * @param adjoint - the gradient that arrives behind the branch, `[batch, time, hiddenSize]`
   * @returns tensors that the caller owns
   */
  pull(adjoint: tf.Tensor): PulledBack;
  /** Frees what the backward pass needs. */
  dispose(): void;
}

/**
 * Runs `stream + branch(x)`, or the branch with its join, for its backward pass alone. With an engine, the sessions are those of a training step. `x` and
 * the tensors of the run must stay until `dispose()`.
 *
 * @param needsInput - whether the gradient of `x` is wanted
 */
export function branchPullback(x: tf.Tensor, branchRun: BranchRun, needsInput: boolean): BranchPullback {
  const trained = Object.entries(branchRun.scope).filter(([, tensor]) => isTrainable(tensor));
  const inputs = [...(needsInput ? [x] : []), ...trained.map(([, tensor]) => tensor)];
  const needs: GradientNeeds = { input: needsInput, stream: needsInput };
  const pullback =
    compiledPullback(x, branchRun, needs, inputs) ??
    tapePullback(() => runBranch(x, branchRun, 'record', needs), inputs);
  return {
    pull(adjoint) {
      const gradients = pullback.pull(adjoint);
      const ofTrained = gradients.slice(inputs.length - trained.length);
      const parameters = trained.flatMap(([name], i): [string, tf.Tensor][] => {
        const gradient = ofTrained[i];
        return gradient === undefined ? [] : [[name, gradient]];
      });
      return { input: needsInput ? gradients[0] : undefined, parameters: new Map(parameters) };
    },
    dispose: () => pullback.dispose(),
  };
}

/**
 * The same for a branch with a join, as where the branch is dropped: the gradient passes the join alone. It gives what a gradient
 * behind the branch becomes in front of it.
 */
export function joinPullback(x: tf.Tensor, branchRun: BranchRun): Pullback {
  const cutRun: CutRun = { ...branchRun, isCut: true };
  const needs: GradientNeeds = { input: true, stream: true };
  return compiledPullback(x, cutRun, needs, [x]) ?? tapePullback(() => runBranch(x, cutRun, 'shortcut', needs), [x]);
}

/** The engine's, in the order of `inputs`; undefined without an engine that offers one. */
function compiledPullback(
  x: tf.Tensor,
  branchRun: CutRun,
  needs: GradientNeeds,
  inputs: readonly tf.Tensor[],
): Pullback | undefined {
  const engine = activeEngine();
  if (engine === undefined) return undefined;
  const { differentiable, frozen } = compiledInputs(x, branchRun, needs);
  const pullback = compiledBranch(engine, branchRun).pullback?.(differentiable, frozen);
  if (pullback === undefined) return undefined;
  const order = Object.values(differentiable);
  return {
    pull(adjoint) {
      const gradients = pullback.pull(adjoint);
      // A training step's sessions have a gradient of the stream too: of no use here, it is the adjoint itself.
      order.forEach((tensor, i) => {
        if (!inputs.includes(tensor)) gradients[i]!.dispose();
      });
      return inputs.map(input => gradients[order.indexOf(input)]);
    },
    dispose: () => pullback.dispose(),
  };
}
