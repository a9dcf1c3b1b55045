import { checkOptions } from '@dropbp/basics';
import { labelledRows, toInt32Rows, type Batch, type Model } from '@dropbp/core';
import type { ReadyBatch } from './gradientPass.ts';

/** Checks a batch and reads its labels. @throws Problem if it is misshapen, too long, or no label counts */
export async function readyBatch(model: Model, batch: Batch): Promise<ReadyBatch> {
  checkOptions('compose', 'a batch', batch, ['inputIds', 'labels', 'attentionMask']);
  const inputIds = toInt32Rows('inputIds', batch.inputIds, { below: model.vocabSize, longest: model.maxPositions });
  if (batch.attentionMask !== undefined) {
    toInt32Rows('attentionMask', batch.attentionMask, { below: 2, shape: inputIds.shape });
  }
  return { inputIds, attentionMask: batch.attentionMask, rows: await labelledRows(batch, model.vocabSize) };
}
