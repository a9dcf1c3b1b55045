import type { Branch, Runnable } from '@dropbp/core';

/** How much of a batch a pass of a divided batch runs through. */
export interface PartSize {
  /** Rows of the pass. */
  readonly lanes: number;
  /** Tokens of each lane, virtual ones included. */
  readonly tokens: number;
  /** Keys that the last token of a lane looks at; each token before it looks at one less. */
  readonly keys: number;
}

/** FLOPs of each branch's forward pass through tokens of divided texts, hidden keys included, as these are computed too. */
export function partFlops({ model }: Pick<Runnable, 'model'>, { lanes, tokens, keys }: PartSize): number[] {
  const pairs = tokens * (keys - tokens) + (tokens * (tokens + 1)) / 2;
  return model.branches.map(branch => {
    const { token, pair } = unitFlops(branch);
    return lanes * (tokens * token + pairs * pair);
  });
}

/** FLOPs of a token, and of a token that looks at a key. The first token of a sequence looks at one, the second one at two. */
function unitFlops(branch: Branch): { token: number; pair: number } {
  const [one, two] = [branch.flops({ batch: 1, time: 1 }), branch.flops({ batch: 1, time: 2 })];
  const pair = two - 2 * one;
  return { token: one - pair, pair };
}
