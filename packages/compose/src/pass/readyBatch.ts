import * as tf from '@tensorflow/tfjs';
import { checkOptions, checkValue } from '@dropbp/basics';
import { labelledRows, toInt32Rows, type Batch, type Runnable } from '@dropbp/core';
import type { LossFunction } from '../composeOptions.ts';
import type { ReadyBatch } from './gradientPass.ts';
import { lossOfPass } from './lossOfPass.ts';

/** What a batch is of, and whether it must be there. */
const parts: readonly (readonly [keyof Batch, isNeeded: boolean])[] = [
  ['inputIds', true],
  ['labels', true],
  ['attentionMask', false],
  ['positions', false],
];

/**
 * Checks a batch and reads its labels.
 *
 * @param readsTokens - whether its tokens are read as well. @defaultValue false
 * @throws Problem if it is misshapen, too long, or no label counts
 */
export async function readyBatch(
  { model, virtualTokens }: Pick<Runnable, 'model' | 'virtualTokens'> & { readonly internal?: never },
  batch: Batch,
  loss?: LossFunction,
  readsTokens: boolean = false,
): Promise<ReadyBatch> {
  const names = parts.map(([name]) => name);
  checkOptions('compose', 'a batch', batch, names);
  for (const [name, isNeeded] of parts) {
    const isUsable = (given: unknown): boolean => given instanceof tf.Tensor || (given === undefined && !isNeeded);
    const fix = "make one with tf.tensor2d(rows, undefined, 'int32')";
    checkValue<unknown>('compose', `a batch: ${name}`, batch[name], isUsable, 'an int32 tensor [batch, time]', fix);
  }
  const inputIds = toInt32Rows('inputIds', batch.inputIds, { below: model.vocabSize, longest: model.maxPositions });
  if (batch.attentionMask !== undefined) {
    toInt32Rows('attentionMask', batch.attentionMask, { below: 2, shape: inputIds.shape });
  }
  if (batch.positions !== undefined) {
    toInt32Rows('positions', batch.positions, { below: inputIds.shape[1]!, shape: inputIds.shape });
  }
  const { attentionMask, positions } = batch;
  const [rows, host] = await Promise.all([
    labelledRows(batch, model.vocabSize, virtualTokens),
    readsTokens ? readHost({ inputIds, attentionMask, positions }) : undefined,
  ]);
  return { inputIds, attentionMask, positions, rows, lossOf: lossOfPass(batch, rows, loss), host };
}

async function readHost({
  inputIds,
  attentionMask,
  positions,
}: Pick<ReadyBatch, 'inputIds' | 'attentionMask' | 'positions'>): Promise<NonNullable<ReadyBatch['host']>> {
  const [ids, mask, places] = await Promise.all([inputIds.data(), attentionMask?.data(), positions?.data()]);
  return { inputIds: ids, attentionMask: mask, positions: places };
}
