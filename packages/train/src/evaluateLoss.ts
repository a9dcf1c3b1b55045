import { problem } from '@dropbp/basics';
import type { Tuned } from '@dropbp/compose';
import type { Batch } from '@dropbp/core';
import { checkFresh, disposeBatch } from './disposeBatch.ts';

/**
 * The mean loss over all tokens of the batches, without dropout. Its `exp` is the perplexity. Disposes the batches.
 *
 * @throws Problem if there are no batches
 */
export async function evaluateLoss(
  tuned: Pick<Tuned, 'loss'>,
  batches: Iterable<Batch> | AsyncIterable<Batch>,
): Promise<number> {
  let sum = 0;
  let tokens = 0;
  for await (const batch of batches) {
    try {
      const loss = await tuned.loss(checkFresh(batch));
      const [value] = await loss.value.data().finally(() => loss.value.dispose());
      sum += value! * loss.tokens;
      tokens += loss.tokens;
    } finally {
      disposeBatch(batch);
    }
  }
  if (tokens === 0) throw problem('train', { what: 'there are no batches to evaluate on' });
  return sum / tokens;
}
