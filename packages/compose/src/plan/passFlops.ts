import type * as tf from '@tensorflow/tfjs';
import { sum } from '@dropbp/basics';
import {
  findTokenHead,
  standInForEncoder,
  isTrainable,
  leadsToTrainable,
  type Runnable,
  type Scope,
} from '@dropbp/core';
import type { StepShape } from './branchFlops.ts';
import { partFlops } from './partsFlops.ts';

/** FLOPs of a part of the model, in one step without drops. */
export interface PartFlops {
  readonly forward: number;
  readonly backward: number;
}

/** FLOPs of one step without drops. Embedding, norms and optimiser are left out: they cost memory traffic, not FLOPs. */
export interface PassFlops {
  readonly branches: readonly PartFlops[];
  readonly head: PartFlops;
  /** FLOPs of the backward pass of each branch where prompts run forward only. */
  readonly answersBackward: readonly number[];
  /** Of the branches and the head, forward and backward. */
  readonly all: number;
}

/** Matrix products of attention itself: two forward; backward four, and one to compute the probabilities again. */
const ATTENTION_BACKWARD = 5 / 2;

/**
 * @param shape - without the virtual tokens of an adapter
 * @param labels - tokens whose label counts: the head runs on these alone. @defaultValue all behind the prompt
 */
export function passFlops(
  runnable: Runnable,
  { batch, time, prompt = 0 }: StepShape,
  labels: number = batch * (time - prompt),
): PassFlops {
  const { model, branchScopes, outerScope } = standInForEncoder(runnable);
  const shape = { batch, time: time + (runnable.virtualTokens ?? 0) };
  const tokens = shape.batch * shape.time;
  const leads = leadsToTrainable(runnable);
  const product = (tensors: readonly tf.Tensor[]): number =>
    2 * tokens * sum(tensors.filter(({ rank }) => rank === 2).map(({ size }) => size));

  const branches = model.branches.map((branch, i): PartFlops => {
    const isOwn = (name: string): boolean => model.parameters.has(`${branch.block}.${name}`);
    const { own, added } = divideScope(branchScopes[i]!, isOwn);
    const plain = branch.flops(shape);
    const linear = Math.min(plain, product(own));
    const ofAdapter = product(added.filter(isTrainable));
    const forward = plain + ofAdapter;
    const ofInput = linear + ATTENTION_BACKWARD * (plain - linear) + ofAdapter;
    const ofWeights = product([...own, ...added].filter(isTrainable));
    const again = runnable.isCheckpointed?.(i) === true ? forward : 0;
    return { forward, backward: leads[i] === true ? ofInput + ofWeights + again : 0 };
  });
  const output = findTokenHead(model);
  const headWeight = output && (outerScope[`${output.path}.weight`] ?? outerScope[output.weight]);
  const projection = output === undefined ? 0 : 2 * labels * (headWeight?.size ?? model.hiddenSize * model.vocabSize);
  const ofWeight = headWeight !== undefined && isTrainable(headWeight) ? projection : 0;
  const head = { forward: projection, backward: projection + ofWeight };
  const answers = partFlops(runnable, { lanes: batch, tokens: time - prompt, keys: shape.time });
  const answersBackward = branches.map(({ backward }, i) => {
    return prompt === 0 ? backward : backward * (answers[i]! / model.branches[i]!.flops(shape));
  });
  return { branches, head, answersBackward, all: sum([head, ...branches].map(part => part.forward + part.backward)) };
}

/** The tensors of a scope by whether they are the model's. */
function divideScope(scope: Scope, isOwn: (name: string) => boolean): { own: tf.Tensor[]; added: tf.Tensor[] } {
  const entries = Object.entries(scope);
  const of = (own: boolean): tf.Tensor[] => entries.flatMap(([name, tensor]) => (isOwn(name) === own ? [tensor] : []));
  return { own: of(true), added: of(false) };
}
