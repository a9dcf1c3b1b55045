import type * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import type { Adapter, Batch, Branch, Model } from '@dropbp/core';
import type { DropBP } from '@dropbp/dropbp';

/** Options of {@link compose}. */
export interface ComposeOptions {
  /** The adapter's name, where there will be several: see `tuned.addAdapter`. @defaultValue 'default' */
  readonly adapterName?: string;
  /**
   * Gradient checkpointing: the branches whose backward pass runs them once more instead of keeping what it needs of them; all
   * with `true`, or those for which the function says so: `branch => branch.kind === 'mlp'`. A branch then costs a third more
   * time and keeps its input alone. @defaultValue false
   */
  readonly checkpointing?: boolean | ((branch: Branch) => boolean);
  /** What is made small in place of the cross-entropy. @defaultValue cross-entropy, whose logits never exist all at once */
  readonly loss?: LossFunction;
  /**
   * Whether prompts of a batch that begin with the same tokens run this beginning once, where that saves a tenth of the FLOPs at
   * least. Loss and gradients stay the same. Not with dropout, which differs from row to row, nor with a `loss`. @defaultValue true
   */
  readonly sharedPrompts?: boolean;
}

/** What {@link compose} puts together. */
export interface Composition extends ComposeOptions {
  /** What is trained: what `lora({ … })`, another method or `loadAdapter()` gives. */
  readonly adapter: Adapter;
  /** Which backward passes a step drops: what `dropBP({ … })` gives. @defaultValue none */
  readonly drop?: DropBP;
}

/** Names of {@link ComposeOptions}. */
export const optionNames = [
  'adapterName',
  'checkpointing',
  'loss',
  'sharedPrompts',
] as const satisfies (keyof ComposeOptions)[];

/**
 * A loss of one's own: a plain tfjs function, through which the gradient flows. In accumulation and evaluation it weighs as
 * many tokens as the batch has labels that count, so it should be a mean over them.
 *
 * @param logits - float32 `[batch, time, vocabSize]`: those at `t` predict the token at `t + 1`
 * @param batch - as it was given
 * @returns a scalar
 */
export type LossFunction = (logits: tf.Tensor, batch: Batch) => tf.Tensor;

/** For each branch, by its number, whether it is checkpointed; undefined where none is. @throws Problem for another value */
export function checkpointedBranches(
  { branches }: Model,
  { checkpointing = false }: ComposeOptions,
): ((i: number) => boolean) | undefined {
  if (typeof checkpointing === 'function') return i => checkpointing(branches[i]!);
  if (typeof checkpointing === 'boolean') return checkpointing ? () => true : undefined;
  throw problem('compose', {
    what: 'checkpointing is not usable',
    got: checkpointing,
    expected: 'true, false or a function of a branch',
  });
}
