import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import { promptTokens, type BatchShare, type Tuned } from '@dropbp/compose';
import { countingRows, type ObjectiveBatch } from '@dropbp/core';
import type { Comm } from './comm.ts';

/** What a rank works on of a batch. */
export interface DealtRows {
  /** The caller owns it. */
  readonly batch: ObjectiveBatch;
  readonly share: BatchShare;
  /**
   * False where no row of the rank has a label that counts: it has copies of another rank's row then, so that its pass is like all
   * others, and weighs nothing.
   */
  readonly counts: boolean;
}

/** Deals the rows of batches to the ranks: row i, or group i where rows belong together, goes to rank i mod size. */
export interface RowDealer {
  /**
   * This rank's rows. The whole batch stays the caller's.
   *
   * @param isLast - whether it may have any number of rows, as the last batch of a run may
   * @throws Problem, on every rank, if the batch is misshapen, no label counts, or its rows cannot be dealt evenly; but fewer rows
   * than a batch before it had may be dealt unevenly
   */
  deal(whole: ObjectiveBatch, isLast: boolean): Promise<DealtRows>;
}

/** @throws Problem for several ranks where the objective needs the whole batch */
export function rowDealer({ rank, size }: Comm, { internal }: Pick<Tuned, 'internal'>): RowDealer {
  const { objective } = internal;
  const { groupSize = 1 } = objective;
  if (size > 1 && objective.readsWholeBatch === true) {
    throw problem('train', {
      what: `several ranks cannot share a batch of '${objective.name}', whose loss compares all of its rows`,
      got: `${size} ranks`,
      expected: '1 rank',
      fix: 'start one rank',
    });
  }
  let mostRows = 0;
  return {
    async deal(whole, isLast) {
      const labelled = await objective.labelledRows?.(whole, internal);
      const [rows] = whole.inputIds.shape as [number];
      const groups = Math.ceil(rows / groupSize);
      if (groups % size !== 0 && rows >= mostRows && !isLast) {
        throw problem('train', {
          what: 'the rows of a batch cannot be dealt evenly to the ranks',
          got: `${rows} rows for ${size} ranks`,
          expected: `a multiple of ${size * groupSize}`,
          fix: `make batches of ${Math.ceil(groups / size) * size * groupSize} rows: every rank sees the whole batch and takes its part`,
        });
      }
      mostRows = Math.max(mostRows, rows);
      const counting = new Set(await countingRows(whole, objective, internal));
      if (counting.size === 0)
        throw problem('train', { what: 'no row of a batch counts', fix: 'leave such batches out' });
      const groupOf = (row: number): number => Math.floor(row / groupSize);
      const all = Array.from({ length: rows }, (_, row) => row);
      const own = all.filter(row => groupOf(row) % size === rank);
      const counts = own.some(row => counting.has(row));
      const [first] = counting;
      const other = all.filter(row => groupOf(row) === groupOf(first!));
      const copies = Math.max(1, own.length / groupSize);
      const taken = counts ? own : Array.from({ length: copies }, () => other).flat();
      const largestShare = Math.ceil(groups / size) * groupSize;
      const share = {
        rows: taken,
        wholeRows: rows,
        largestShare,
        prompt: labelled === undefined ? 0 : promptTokens(labelled),
      };
      return { batch: await rowsOf(whole, taken), share, counts };
    },
  };
}

/** What a batch holds for each of its tokens. */
const byToken: readonly string[] = ['inputIds', 'attentionMask', 'positions', 'tokenTypes'];

async function rowsOf(batch: ObjectiveBatch, rows: readonly number[]): Promise<ObjectiveBatch> {
  const { shape } = batch.inputIds;
  const take = async (name: string, tensor: tf.Tensor): Promise<tf.Tensor> => {
    const isUsable = byToken.includes(name)
      ? tensor.dtype === 'int32' && String(tensor.shape) === String(shape)
      : tensor.shape[0] === shape[0];
    if (!isUsable) {
      throw problem('train', {
        what: 'the batch is misshapen',
        got: `${name}: ${tensor.dtype} [${tensor.shape.join(', ')}]`,
        expected: byToken.includes(name) ? `int32 [${shape.join(', ')}], as its tokens` : `[${shape[0]}, …]`,
      });
    }
    const values = (await tensor.data()) as Int32Array | Float32Array;
    const width = tensor.size / shape[0];
    const own = new (tensor.dtype === 'float32' ? Float32Array : Int32Array)(rows.length * width);
    rows.forEach((row, i) => own.set(values.subarray(row * width, (row + 1) * width), i * width));
    return tf.tensor(own, [rows.length, ...tensor.shape.slice(1)], tensor.dtype);
  };
  const taken: Record<string, tf.Tensor> = {};
  for (const [name, tensor] of Object.entries(batch as unknown as Record<string, tf.Tensor | undefined>)) {
    if (tensor !== undefined) taken[name] = await take(name, tensor);
  }
  return taken as unknown as ObjectiveBatch;
}
