import * as tf from '@tensorflow/tfjs';
import { checkOptions, checkValue } from '@dropbp/basics';
import { labelledRows, toInt32Rows, type Batch, type Runnable } from '@dropbp/core';
import type { LossFunction } from './composeOptions.ts';
import type { ReadyBatch } from './gradientPass.ts';
import { lossOfPass } from './lossOfPass.ts';

/** Checks a batch and reads its labels. @throws Problem if it is misshapen, too long, or no label counts */
export async function readyBatch(
  { model, virtualTokens }: Pick<Runnable, 'model' | 'virtualTokens'>,
  batch: Batch,
  loss?: LossFunction,
): Promise<ReadyBatch> {
  checkOptions('compose', 'a batch', batch, ['inputIds', 'labels', 'attentionMask', 'positions']);
  const isTensor = (given: unknown): boolean => given === undefined || given instanceof tf.Tensor;
  for (const [name, given] of Object.entries({ ...batch })) {
    checkValue<unknown>(
      'compose',
      `a batch: ${name}`,
      given,
      isTensor,
      'an int32 tensor [batch, time]',
      "make one with tf.tensor2d(rows, undefined, 'int32')",
    );
  }
  const inputIds = toInt32Rows('inputIds', batch.inputIds, { below: model.vocabSize, longest: model.maxPositions });
  if (batch.attentionMask !== undefined) {
    toInt32Rows('attentionMask', batch.attentionMask, { below: 2, shape: inputIds.shape });
  }
  if (batch.positions !== undefined) {
    toInt32Rows('positions', batch.positions, { below: inputIds.shape[1]!, shape: inputIds.shape });
  }
  const rows = await labelledRows(batch, model.vocabSize, virtualTokens);
  const { attentionMask, positions } = batch;
  return { inputIds, attentionMask, positions, rows, lossOf: lossOfPass(batch, rows, loss) };
}
