import * as tf from '@tensorflow/tfjs';
import { sumByRow, withGradient } from '@dropbp/core';

/** Rows of a table that are trained in place of its own. */
export interface TokenRows {
  /** `[count, width]`, trainable. */
  readonly rows: tf.Tensor;
  /** int32 `[entries]`: the number of an entry's row, `count` where the table's own stands. */
  readonly rowNumbers: tf.Tensor;
  /** int32 `[count]`: the entries that have one. */
  readonly rowIndices: tf.Tensor;
}

/**
 * A look-up with the trained rows in place of the table's. Saves the rows' numbers alone.
 *
 * @param x - `[…indices.shape, width]`, looked up in the table
 * @param indices - int32, any shape
 */
export function replaceRows(x: tf.Tensor, indices: tf.Tensor, { rows, rowNumbers }: TokenRows): tf.Tensor {
  const [count, width] = rows.shape as [number, number];
  return withGradient(
    [x, rows],
    save => {
      const numbers = tf.reshape(tf.gather(rowNumbers, indices), [-1]);
      save([numbers]);
      const own = tf.mul(tf.reshape(x, [-1, width]), tf.expandDims(isOwn(numbers, count), 1));
      return tf.reshape(tf.add(own, tf.gather(withZeroRow(rows), numbers)), x.shape);
    },
    (dy, [numbers], [isTableWanted]) => {
      const dRows = tf.reshape(dy, [-1, width]);
      const own = (): tf.Tensor => tf.mul(dRows, tf.expandDims(isOwn(numbers!, count), 1));
      // The last row gathers what belongs to the table's own.
      const sums = sumByRow(dRows, numbers!, count + 1);
      return [isTableWanted ? tf.reshape(own(), dy.shape) : undefined, tf.slice(sums, [0, 0], [count, width])];
    },
  );
}

/**
 * Logits of a head that shares the table: those of the trained rows in place of the table's. Saves x.
 *
 * @param logits - `[…, entries]` by the table
 * @param x - `[…, width]`
 */
export function replaceColumns(logits: tf.Tensor, x: tf.Tensor, tokens: TokenRows): tf.Tensor {
  const { rows, rowNumbers, rowIndices } = tokens;
  const [count, width] = rows.shape as [number, number];
  const entries = rowNumbers.shape[0];
  return withGradient(
    [logits, x, rows],
    save => {
      save([x]);
      const flat = tf.reshape(x, [-1, width]);
      const trained = tf.matMul(flat, rows, false, true);
      const padded = tf.concat([trained, tf.zeros([flat.shape[0], 1])], 1);
      const own = tf.mul(tf.reshape(logits, [-1, entries]), isOwn(rowNumbers, count));
      return tf.reshape(tf.add(own, tf.gather(padded, rowNumbers, 1)), logits.shape);
    },
    (dy, [x], [isTableWanted, isInputWanted]) => {
      const dLogits = tf.reshape(dy, [-1, entries]);
      const dTrained = tf.gather(dLogits, rowIndices, 1);
      return [
        isTableWanted ? tf.reshape(tf.mul(dLogits, isOwn(rowNumbers, count)), dy.shape) : undefined,
        isInputWanted ? tf.reshape(tf.matMul(dTrained, rows), x!.shape) : undefined,
        tf.matMul(dTrained, tf.reshape(x!, [-1, width]), true, false),
      ];
    },
  );
}

/** The table with the trained rows, `[entries, width]`. The caller owns it. */
export function mergeRows(table: tf.Tensor, { rows, rowNumbers }: Pick<TokenRows, 'rows' | 'rowNumbers'>): tf.Tensor {
  return tf.tidy(() => {
    const own = tf.mul(table, tf.expandDims(isOwn(rowNumbers, rows.shape[0]), 1));
    return tf.add(own, tf.gather(withZeroRow(rows), rowNumbers));
  });
}

/** 1 where the table's own row stands, 0 where a trained one does. */
function isOwn(numbers: tf.Tensor, count: number): tf.Tensor {
  return tf.cast(tf.equal(numbers, tf.scalar(count, 'int32')), 'float32');
}

function withZeroRow(rows: tf.Tensor): tf.Tensor {
  return tf.concat([rows, tf.zeros([1, rows.shape[1]!])]);
}
