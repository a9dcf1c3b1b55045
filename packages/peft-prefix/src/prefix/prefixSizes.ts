import { problem } from '@dropbp/basics';
import type { Model } from '@dropbp/core';
import { attentionsOf, type AttentionBranch } from '../attentions.ts';
import type { PromptSizes } from '../prompt/promptConfig.ts';

/** The attention branches that take a prefix, and what the file calls their sizes. */
export interface PrefixSizes extends PromptSizes {
  readonly attentions: readonly AttentionBranch[];
}

/**
 * The sizes of a prefix: in PEFT's files the heads are those of keys and values, and a token is as wide as they are
 * together.
 *
 * @throws Problem for a model whose layers differ, which one table cannot hold
 */
export function prefixSizes(model: Model): PrefixSizes {
  const attentions = attentionsOf(model);
  const { kvHeads, headSize } = attentions[0].heads;
  const other = attentions.find(({ heads }) => heads.kvHeads !== kvHeads || heads.headSize !== headSize);
  if (other !== undefined) {
    throw problem('peft-prefix', {
      what: 'the attention branches have keys of different sizes, and a prefix has one size for all',
      got: { [attentions[0].path]: attentions[0].heads, [other.path]: other.heads },
    });
  }
  return { attentions, layers: attentions.length, heads: kvHeads, tokenDim: kvHeads * headSize };
}
