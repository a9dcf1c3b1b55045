import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import { promptTokens, type BatchShare, type Tuned } from '@dropbp/compose';
import { labelledRows, type Batch } from '@dropbp/core';
import type { Comm } from './comm.ts';

/** What a rank works on of a batch. */
export interface DealtRows {
  /** The caller owns it. */
  readonly batch: Batch;
  readonly share: BatchShare;
  /**
   * False where no row of the rank has a label that counts: it has copies of another rank's row then, so that its pass is like all
   * others, and weighs nothing.
   */
  readonly counts: boolean;
}

/** Deals the rows of batches to the ranks: row i goes to rank i mod size. */
export interface RowDealer {
  /**
   * This rank's rows. The whole batch stays the caller's.
   *
   * @param isLast - whether it may have any number of rows, as the last batch of a run may
   * @throws Problem, on every rank, if the batch is misshapen, no label counts, or its rows cannot be dealt evenly; but fewer rows
   * than a batch before it had may be dealt unevenly
   */
  deal(whole: Batch, isLast: boolean): Promise<DealtRows>;
}

export function rowDealer(
  { rank, size }: Comm,
  { internal: { model, virtualTokens } }: Pick<Tuned, 'internal'>,
): RowDealer {
  let mostRows = 0;
  return {
    async deal(whole, isLast) {
      const labelled = await labelledRows(whole, model.vocabSize, virtualTokens);
      const { positions, batch: rows, time } = labelled;
      if (rows % size !== 0 && rows >= mostRows && !isLast) {
        throw problem('train', {
          what: 'the rows of a batch cannot be dealt evenly to the ranks',
          got: `${rows} rows for ${size} ranks`,
          expected: `a multiple of ${size}`,
          fix: `make batches of ${Math.ceil(rows / size) * size} rows: every rank sees the whole batch and takes its part`,
        });
      }
      mostRows = Math.max(mostRows, rows);
      const counting = new Set(Array.from(positions, at => (at < 0 ? -1 - at : Math.floor(at / time))));
      const own = Array.from({ length: rows }, (_, row) => row).filter(row => row % size === rank);
      const counts = own.some(row => counting.has(row));
      const [other] = counting;
      const taken = counts ? own : Array.from({ length: Math.max(1, own.length) }, () => other!);
      const largestShare = Math.ceil(rows / size);
      const share = { rows: taken, wholeRows: rows, largestShare, prompt: promptTokens(labelled) };
      return { batch: await rowsOf(whole, taken), share, counts };
    },
  };
}

async function rowsOf(batch: Batch, rows: readonly number[]): Promise<Batch> {
  const { inputIds, labels, attentionMask, positions } = batch;
  const [, time] = labels.shape as [number, number];
  const taken = async (tensor: tf.Tensor): Promise<tf.Tensor> => {
    if (tensor.dtype !== 'int32' || String(tensor.shape) !== String(labels.shape)) {
      throw problem('train', {
        what: 'the batch is misshapen',
        got: `${tensor.dtype} [${tensor.shape.join(', ')}]`,
        expected: `int32 [${labels.shape.join(', ')}], as its labels`,
      });
    }
    const values = (await tensor.data()) as Int32Array;
    const own = new Int32Array(rows.length * time);
    rows.forEach((row, i) => own.set(values.subarray(row * time, (row + 1) * time), i * time));
    return tf.tensor2d(own, [rows.length, time], 'int32');
  };
  return {
    inputIds: await taken(inputIds),
    labels: await taken(labels),
    ...(attentionMask !== undefined && { attentionMask: await taken(attentionMask) }),
    ...(positions !== undefined && { positions: await taken(positions) }),
  };
}
