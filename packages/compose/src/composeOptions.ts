import { problem } from '@dropbp/basics';
import type { Branch, Model } from '@dropbp/core';

/** Options of {@link compose}. */
export interface ComposeOptions {
  /**
   * Gradient checkpointing: the branches whose backward pass runs them once more instead of keeping what it needs of them; all
   * with `true`, or those for which the function says so: `branch => branch.kind === 'mlp'`. A branch then costs a third more
   * time and keeps its input alone. @defaultValue false
   */
  readonly checkpointing?: boolean | ((branch: Branch) => boolean);
}

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
