import * as tf from '@tensorflow/tfjs';
import { checkValue } from '@dropbp/basics';
import { asRunnable, labelledRows, type LabelledRows, type Subject } from '@dropbp/core';
import type { PreferenceBatch, PreferenceBatches, RatedBatch } from '../data/preferenceBatches.ts';
import { answerLogProbabilities } from './answerLogProbabilities.ts';

/**
 * The same batches with log-probabilities of all answers by a reference. They are computed once, so that training runs no second
 * model. Training all weights needs them, where the weights of the model are taken over.
 *
 * @param reference - the model, or what `compose()` gives, with its adapter as it is now
 * @throws Problem if the batches are not those of preferences
 *
 * @example
 * ```ts
 * const ready = await precomputeReference(preferenceBatches(rows, { batchSize: 4 }), model);
 * ```
 */
export async function precomputeReference<B extends PreferenceBatch>(
  batches: PreferenceBatches<B>,
  reference: Subject,
): Promise<PreferenceBatches<B>> {
  checkValue<unknown>(
    'preferences',
    'precomputeReference(): the batches',
    batches,
    areBatches,
    'what preferenceBatches() gives',
  );
  const runnable = asRunnable(reference);
  const rowsOf = ({ inputIds, labels }: Pick<PreferenceBatch, 'inputIds' | 'labels'>): Promise<LabelledRows> =>
    labelledRows({ inputIds, labels }, runnable.model.vocabSize, runnable.virtualTokens);
  const { format, rows: all } = batches.rows;
  const each = format === 'paired' ? 2 : 1;
  const answers = new Float32Array(all.length * each);
  const mismatched = format === 'rated' ? new Float32Array(all.length) : undefined;
  for (const { batch, rows } of batches.once()) {
    try {
      const own = await answerLogProbabilities(runnable, batch, await rowsOf(batch));
      rows.forEach((row, i) => answers.set(own.subarray(i * each, (i + 1) * each), row * each));
      if (mismatched === undefined) continue;
      const {
        mismatchedIds: inputIds,
        mismatchedLabels: labels,
        mismatchedMask: attentionMask,
      } = batch as unknown as RatedBatch;
      const others = await answerLogProbabilities(
        runnable,
        { inputIds, attentionMask },
        await rowsOf({ inputIds, labels }),
      );
      rows.forEach((row, i) => (mismatched[row] = others[i]!));
    } finally {
      tf.dispose(Object.values(batch) as tf.Tensor[]);
    }
  }
  return batches.withReference({ answers, ...(mismatched && { mismatched }) });
}

function areBatches(given: unknown): boolean {
  return typeof given === 'object' && given !== null && 'once' in given;
}
