import { problem } from '@dropbp/basics';
import type { Tuned } from '@dropbp/compose';
import type { Batch } from '@dropbp/core';
import type { Comm } from './comm/comm.ts';
import { gathered } from './comm/gathered.ts';
import { rowDealer } from './comm/rowDealer.ts';
import { soloComm } from './comm/soloComm.ts';
import { checkFresh, disposeBatch } from './disposeBatch.ts';

/**
 * The mean loss over all tokens of the batches, without dropout. Its `exp` is the perplexity. Disposes the batches.
 *
 * @param comm - whose ranks all have the same batches and take their rows of each. @defaultValue this process alone
 * @throws Problem if there are no batches
 */
export async function evaluateLoss(
  tuned: Pick<Tuned, 'loss' | 'model' | 'virtualTokens'>,
  batches: Iterable<Batch> | AsyncIterable<Batch>,
  comm: Comm = soloComm(),
): Promise<number> {
  const dealer = rowDealer(comm, tuned);
  let sum = 0;
  let tokens = 0;
  const add = async (batch: Batch): Promise<void> => {
    const loss = await tuned.loss(batch);
    const [value] = await loss.value.data().finally(() => loss.value.dispose());
    sum += value! * loss.tokens;
    tokens += loss.tokens;
  };
  for await (const batch of batches) {
    try {
      checkFresh(batch);
      if (comm.size === 1) await add(batch);
      else {
        const { batch: own, counts } = await dealer.deal(batch, true);
        if (counts) await add(own).finally(() => disposeBatch(own));
        else disposeBatch(own);
      }
    } finally {
      disposeBatch(batch);
    }
  }
  const all = await gathered(comm, [tokens === 0 ? 0 : sum / tokens, tokens]);
  const allTokens = all.reduce((total, [, of]) => total + of!, 0);
  if (allTokens === 0) throw problem('train', { what: 'there are no batches to evaluate on' });
  return all.reduce((mean, [loss, of]) => mean + loss! * (of! / allTokens), 0);
}
