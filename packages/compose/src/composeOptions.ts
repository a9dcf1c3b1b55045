import { problem } from '@dropbp/basics';
import type { Adapter, Branch, Model, Objective } from '@dropbp/core';
import type { DropBP } from '@dropbp/dropbp';
import type { LossFunction } from './pass/lossFunction.ts';

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
  /** What is made small, with batches of its own: a classifier, preferences, or one of yours. @defaultValue `causal()` */
  readonly objective?: Objective;
  /**
   * Whether prompts of a batch that begin with the same tokens run this beginning once, where that saves a tenth of the FLOPs at
   * least. Loss and gradients stay the same. Not with dropout, which differs from row to row, nor with a `loss`. @defaultValue true,
   * where the objective can
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
  'objective',
  'sharedPrompts',
] as const satisfies (keyof ComposeOptions)[];

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
