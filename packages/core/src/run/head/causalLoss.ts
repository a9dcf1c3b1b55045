import type * as tf from '@tensorflow/tfjs';
import type { Scope } from '../../contract/branch.ts';
import type { Hooks } from '../../contract/hooks.ts';
import type { Head } from '../../contract/model.ts';
import type { LabelledRows } from '../../contract/objective.ts';
import type { TracedFunction } from '@dropbp/engine';
import { crossEntropy, linearCrossEntropy, type Targets } from '../../ops/crossEntropy.ts';
import { scale } from '../../ops/shapes.ts';
import { unpackScope } from '../pass/compiledInputs.ts';
import { headScope, ownHeadBias, ownHeadWeight, projectLogits } from './headLogits.ts';
import type { Runnable } from '../runnable.ts';
import { labelChunks, STATES } from './labelChunks.ts';
import { sumWithGradients } from './sumWithGradients.ts';
import { tokenHead } from './tokenHead.ts';

/**
 * Mean cross-entropy over the labelled rows, a scalar. Only these rows go through the head, a chunk at a time, and each
 * chunk's gradient is computed with its loss, so that logits and probabilities of one chunk at most exist.
 *
 * @param hidden - `[batch, time, hiddenSize]` before the final norm; longer than the labels where virtual tokens precede
 */
export function causalLoss(runnable: Runnable, hidden: tf.Tensor, rows: LabelledRows): tf.Tensor {
  const scope = headScope(runnable);
  const { parts, states } = labelChunks(scope, hidden, rows, 1 / rows.positions.length);
  const head = tokenHead(runnable.model);
  const isProduct =
    head.logitCap === undefined && !runnable.adaptedModules.has(head.path) && !(ownHeadBias(head) in scope);
  const lossOf = isProduct ? productLoss : projectedLoss;
  return sumWithGradients(parts, [head, runnable.hooks, lossOf], chunkFunction(runnable, lossOf), states);
}

function chunkFunction({ model, hooks }: Runnable, lossOf: LossOfStates): TracedFunction {
  const head = tokenHead(model);
  return inputs => {
    const p = unpackScope(inputs);
    const states = head.normalize(inputs[STATES]!, p);
    return lossOf(states, { labels: inputs.labels!, weights: inputs.weights! }, head, p, hooks);
  };
}

/** The loss of normalised states. */
type LossOfStates = (states: tf.Tensor, targets: Targets, head: Head, p: Scope, hooks: Hooks) => tf.Tensor;

const projectedLoss: LossOfStates = (states, targets, head, p, hooks) =>
  crossEntropy(projectLogits(head, states, p, hooks), targets);

/** Where the logits are a product with the projection's weight, and a factor. */
const productLoss: LossOfStates = (states, targets, head, p) => {
  const { logitFactor = 1 } = head;
  const scaled = logitFactor === 1 ? states : scale(states, logitFactor);
  return linearCrossEntropy(scaled, (p[ownHeadWeight(head)] ?? p[head.weight])!, targets);
};
