import { problem } from '@dropbp/basics';
import type { AttentionHeads, Branch, Model } from '@dropbp/core';

/** An attention branch, and the sizes of its heads. */
export interface AttentionBranch extends Branch {
  readonly heads: AttentionHeads;
}

/** The attention branches of a model, in order. @throws Problem if it has none, or does not know their heads */
export function attentionsOf({ branches, architecture }: Model): readonly [AttentionBranch, ...AttentionBranch[]] {
  const attentions = branches.filter(({ kind }) => kind === 'attention');
  if (attentions.length > 0 && attentions.every(hasHeads)) {
    return attentions as [AttentionBranch, ...AttentionBranch[]];
  }
  throw problem('peft-prefix', {
    what: `the model '${architecture}' does not say which heads its attention has`,
    expected: 'heads of every attention branch',
  });
}

function hasHeads(branch: Branch): branch is AttentionBranch {
  return branch.heads !== undefined;
}
