import { problem } from '@dropbp/basics';
import type { Adapter, Model } from '@dropbp/core';

/**
 * Takes an adapter out of a model that it was merged into, in float32: the base again, but for rounding. Where the base is at
 * hand, as after `tuned.merge()`, which leaves it as it was, this is not needed. The caller owns the result.
 *
 * @param merged - a model with the adapter worked in, such as a merged checkpoint
 * @throws Problem if the base cannot be known from the two, as with DoRA or weights that were trained whole
 *
 * @example
 * ```ts
 * const base = unmerge(await loadModel('merged'), await loadAdapter('adapter'));
 * ```
 */
export function unmerge(merged: Model, adapter: Adapter): Model {
  const attachment = adapter.attach(merged);
  try {
    if (attachment.unmergedWeights !== undefined) return merged.withParameters(attachment.unmergedWeights());
    throw problem('compose', {
      what: `'${adapter.name}' cannot be taken out of merged weights`,
      fix: 'load the base itself',
    });
  } finally {
    attachment.dispose();
  }
}
