import * as tf from '@tensorflow/tfjs';
import { isTrainable } from '../trainable.ts';
import { forwardOnly, withGradient } from './withGradient.ts';

/**
 * Looks up rows of a table. A frozen table records nothing; the gradient of a trainable one is summed by row.
 *
 * @param table - `[entries, width]`
 * @param indices - int32, any shape
 * @returns `[…indices.shape, width]`
 */
export function embedding(table: tf.Tensor, indices: tf.Tensor): tf.Tensor {
  const lookUp = (): tf.Tensor => tf.gather(table, indices);
  if (!isTrainable(table)) return forwardOnly(lookUp);
  const [entries, width] = table.shape as [number, number];
  return withGradient(
    [table],
    save => {
      save([indices]);
      return lookUp();
    },
    (dy, [indices]) => [sumByRow(tf.reshape(dy, [-1, width]), tf.reshape(indices!, [-1]), entries)],
  );
}

/**
 * Adds up rows that share an index: `result[index[i]] += rows[i]`. The caller owns the result.
 *
 * @param rows - `[n, width]`
 * @param index - int32 `[n]`
 * @param count - rows of the result
 */
export function sumByRow(rows: tf.Tensor, index: tf.Tensor, count: number): tf.Tensor {
  const kernel = tf.getKernel('UnsortedSegmentSum', tf.getBackend()) as tf.KernelConfig | undefined;
  if (kernel !== undefined) {
    return tf.unsortedSegmentSum(rows, index as tf.Tensor1D, count);
  }
  return tf.scatterND(tf.expandDims(index, 1), rows, [count, rows.shape[1]!]);
}

/** The sum over all axes but the last, `[width]`. The caller owns the result. */
export function sumRows(x: tf.Tensor): tf.Tensor {
  return tf.sum(tf.reshape(x, [-1, x.shape.at(-1)!]), 0);
}

/**
 * Takes rows, each at most once. Its gradient is a look-up too, where tfjs would add up rows one by one.
 *
 * @param x - `[n, width]`
 * @param index - rows to take; −1 stands for a row of zeros
 * @returns `[index.length, width]`
 */
export function takeRows(x: tf.Tensor, index: Int32Array): tf.Tensor {
  const [n, width] = x.shape as [number, number];
  const inverse = new Int32Array(n).fill(index.length);
  index.forEach((row, i) => {
    if (row >= 0) inverse[row] = i;
  });
  const take = (from: tf.Tensor, rows: Int32Array): tf.Tensor =>
    tf.gather(tf.concat([from, tf.zeros([1, width])]), tf.tensor1d(rows, 'int32'));
  const padded = index.map(row => (row < 0 ? n : row));
  return withGradient(
    [x],
    () => take(x, padded),
    dy => [take(dy, inverse)],
  );
}
