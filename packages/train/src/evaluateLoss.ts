import { checkValue, problem } from '@dropbp/basics';
import type { Tuned } from '@dropbp/compose';
import type { Batch } from '@dropbp/core';
import { checkBatches } from './options/checkBatches.ts';
import { checkComm } from './comm/checkComm.ts';
import type { Comm } from './comm/comm.ts';
import { gathered } from './comm/gathered.ts';
import { rowDealer } from './comm/rowDealer.ts';
import { soloComm } from './comm/soloComm.ts';
import { checkFresh, disposeBatch } from './step/disposeBatch.ts';
import { hasMethods } from './options/hasMethods.ts';

/**
 * The mean loss over all tokens of the batches, without dropout. Its `exp` is the perplexity. Disposes the batches.
 *
 * @param comm - whose ranks all have the same batches and take their rows of each. @defaultValue this process alone
 * @throws Problem if there are no batches, or what is given is none
 */
export async function evaluateLoss(
  tuned: Pick<Tuned, 'loss' | 'internal'>,
  batches: Iterable<Batch> | AsyncIterable<Batch>,
  comm: Comm = soloComm(),
): Promise<number> {
  checkValue<unknown>('train', 'evaluateLoss(): what is evaluated', tuned, hasLoss, 'what compose() gives');
  checkBatches('evaluateLoss()', batches);
  checkComm(comm);
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
    checkFresh(batch);
    try {
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

function hasLoss(given: unknown): boolean {
  return hasMethods(given, ['loss']);
}
