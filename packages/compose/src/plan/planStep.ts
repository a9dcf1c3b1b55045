import { sum } from '@dropbp/basics';
import { weightForm, workingMemory, type Model, type PackedForm, type Runnable } from '@dropbp/core';
import type { Tuned } from '../tuned.ts';
import { checkShape, type StepShape } from './branchFlops.ts';
import { heldBytes } from './heldBytes.ts';
import { passFlops } from './passFlops.ts';

/** What a training step costs, before it is run. */
export interface StepPlan {
  /** The batch that it is the plan of. */
  readonly shape: StepShape;
  /** FLOPs of the forward pass, head and loss included. */
  readonly forwardFlops: number;
  /** FLOPs of the backward pass of each branch, which dropping it saves. */
  readonly branchBackwardFlops: readonly number[];
  /** FLOPs of the rest of the backward pass: the head's. */
  readonly otherBackwardFlops: number;
  /**
   * FLOPs of a step in which this share of the branches' backward FLOPs is dropped.
   *
   * @param dropPrompts - whether prompts run forward only, beside that. @defaultValue false
   */
  flops(rate: number, dropPrompts?: boolean): number;
  /** Whether some branch runs once more in the backward pass instead of keeping anything. */
  readonly isCheckpointed: boolean;
  /** Bytes that each branch holds from its forward to its backward pass if it is kept, which dropping it saves. */
  readonly branchBytes: readonly number[];
  /** Bytes of the weights, of what is trained with its gradient and AdamW's two moments, and of the program itself. */
  readonly standingBytes: number;
  /** Bytes that come and go in a step: of the branch and the rows of the head that it is at. */
  readonly workingBytes: number;
  /** The same where prompts run forward only. */
  readonly answerBytes: readonly number[];
  /**
   * Bytes of a step in which this share of the branches' bytes is dropped.
   *
   * @param dropPrompts - whether prompts run forward only: of these, keys and values are held. @defaultValue false
   */
  memory(rate: number, dropPrompts?: boolean): number;
}

/** What is planned: what compose() returns. */
export interface Planned {
  /** What runs it. */
  readonly internal: Runnable;
  /** What is trained. */
  readonly parameters: Tuned['parameters'];
}

/** Rows of the head whose logits exist at a time, and how many tensors of their size. */
const [HEAD_ROWS, HEAD_COPIES] = [128, 3];

/**
 * What a step costs at any drop rate, without running one. FLOPs are counted, from shapes alone; what a branch holds is measured
 * on one forward pass of each kind of branch.
 *
 * Memory is that of the process, estimated: it takes the loss to be the cross-entropy, whose logits never exist all at once, and
 * the optimiser to be AdamW. Both follow from shapes, so that a run that goes on elsewhere finds the same.
 */
export function planStep({ internal: runnable, parameters }: Planned, shape: StepShape): StepPlan {
  checkShape('planStep()', shape);
  const { branches, head, answersBackward, all } = passFlops(runnable, shape);
  const branchBackwardFlops = branches.map(({ backward }) => backward);
  const droppable = sum(branchBackwardFlops);
  const forwardFlops = all - head.backward - droppable;
  const isCheckpointed = runnable.model.branches.some((_, i) => runnable.isCheckpointed?.(i));
  const { batch, time, prompt = 0 } = shape;
  const branchBytes = heldBytes(runnable, shape);
  const answerBytes = prompt === 0 ? branchBytes : heldBytes(runnable, { batch, time: time - prompt });
  const { hiddenSize, vocabSize } = runnable.model;
  const stream = 4 * shape.batch * (shape.time + (runnable.virtualTokens ?? 0)) * hiddenSize;
  const largest = Math.max(
    ...(isCheckpointed ? heldBytes({ ...runnable, isCheckpointed: undefined }, shape) : branchBytes),
  );
  const working = workingMemory(largest);
  const standingBytes = working.program + bytesOfWeights(runnable) + bytesOfTraining(runnable.model, parameters);
  const workingBytes = working.step + 3 * stream + 4 * HEAD_COPIES * HEAD_ROWS * vocabSize;
  return {
    shape,
    forwardFlops,
    branchBackwardFlops,
    otherBackwardFlops: head.backward,
    flops: (rate, dropPrompts = false) =>
      all - droppable + (1 - rate) * (dropPrompts ? sum(answersBackward) : droppable),
    isCheckpointed,
    branchBytes,
    answerBytes,
    standingBytes,
    workingBytes,
    memory: (rate, dropPrompts = false) =>
      standingBytes +
      workingBytes +
      (dropPrompts ? bytesOfPrompts(runnable.model, shape) : 0) +
      (1 - rate) * sum(dropPrompts ? answerBytes : branchBytes),
  };
}

/** What a number of a weight takes in each form that it can be kept in; scales of blocks included. */
export const bytesPerNumber: Readonly<Record<'f32' | PackedForm, number>> = {
  f32: 4,
  f16: 2,
  int8: 1,
  int6: 0.8125,
  int4: 0.5625,
};

function bytesOfWeights({ branchScopes, outerScope }: Runnable): number {
  const tensors = new Set([...branchScopes, outerScope].flatMap(scope => Object.values(scope)));
  return sum([...tensors].map(tensor => tensor.size * bytesPerNumber[weightForm(tensor)]));
}

/** Keys and values of prompts, of all branches at once: a dropped one hands them on too. */
function bytesOfPrompts({ branches }: Model, { batch, prompt = 0 }: StepShape): number {
  const numbers = branches.map(({ heads }) => (heads === undefined ? 0 : 2 * heads.kvHeads * heads.headSize));
  return 4 * batch * prompt * sum(numbers);
}

/** A gradient and two moments of all that is trained; a copy of a weight of the model's own, which the first update makes. */
function bytesOfTraining(model: Model, parameters: Tuned['parameters']): number {
  return [...parameters].reduce((all, [name, { size }]) => all + 4 * size * (model.parameters.has(name) ? 4 : 3), 0);
}
