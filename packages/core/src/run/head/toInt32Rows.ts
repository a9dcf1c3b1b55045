import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';

/** int32 `[batch, time]`: a tensor, or rows of one length. */
export type TokenRows = tf.Tensor | readonly (readonly number[])[];

interface RowLimits {
  /** Values are integers from 0 to below this. Those of a tensor are not looked at: reading would wait for the device. */
  readonly below: number;
  /** The longest row. */
  readonly longest?: number;
  /** The shape that is wanted. */
  readonly shape?: readonly number[];
}

/**
 * Tokens or a mask as an int32 tensor `[batch, time]`: the given one, or a new one that the caller owns.
 *
 * @param subject - what they are, for messages
 * @throws Problem if they are misshapen, empty, too long, or a value is out of range
 */
export function toInt32Rows(subject: string, rows: TokenRows, limits: RowLimits): tf.Tensor {
  const tensor = rows instanceof tf.Tensor ? checkTensor(subject, rows) : fromArrays(subject, rows, limits.below);
  const { longest = Infinity, shape } = limits;
  if (tensor.shape[1]! > longest) {
    throw problem('core', {
      what: `${subject}: the sequence is longer than the model's positions`,
      got: tensor.shape[1],
      expected: `at most ${longest}`,
    });
  }
  if (shape !== undefined && String(tensor.shape) !== String(shape)) {
    throw problem('core', {
      what: `${subject}: not of the tokens' shape`,
      got: tensor.shape,
      expected: `[${String(shape)}]`,
    });
  }
  return tensor;
}

function checkTensor(subject: string, tensor: tf.Tensor): tf.Tensor {
  if (tensor.rank === 2 && tensor.dtype === 'int32' && tensor.size > 0) return tensor;
  throw problem('core', {
    what: `${subject}: an unusable tensor`,
    got: `${tensor.dtype} [${String(tensor.shape)}]`,
    expected: 'int32 [batch, time], at least one of each',
  });
}

function fromArrays(subject: string, rows: readonly (readonly number[])[], below: number): tf.Tensor {
  const time = rows[0]?.length ?? 0;
  const values = new Int32Array(rows.length * time);
  if (values.length === 0) {
    throw problem('core', { what: `${subject}: nothing there`, got: rows, expected: 'rows of at least one entry' });
  }
  for (const [i, row] of rows.entries()) {
    if (row.length !== time) {
      throw problem('core', {
        what: `${subject}: rows of different lengths`,
        got: `${time} and ${row.length}`,
        expected: 'rows of one length',
        fix: 'pad the shorter ones and pass an attentionMask',
      });
    }
    for (const [j, value] of row.entries()) {
      if (!Number.isInteger(value) || value < 0 || value >= below) {
        throw problem('core', {
          what: `${subject}: an unusable value at [${i}, ${j}]`,
          got: value,
          expected: `an integer from 0 to ${below - 1}`,
        });
      }
      values[i * time + j] = value;
    }
  }
  return tf.tensor2d(values, [rows.length, time], 'int32');
}
