import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import { metricsOf, type LabelledRows, type PreparedBatch, type Runnable } from '@dropbp/core';

/** What a pass computes from the hidden states. */
export interface LossOfPass {
  /**
   * The loss, a scalar.
   *
   * @param hidden - `[batch, time, hiddenSize]` before the final norm, virtual tokens included
   * @param rows - the labelled positions in a divided batch. @defaultValue those of the whole batch
   */
  readonly lossOf: (runnable: Runnable, hidden: tf.Tensor, rows?: LabelledRows) => tf.Tensor;
  /** The metrics, called right after the loss. The caller owns them, beyond any tidy. */
  readonly metricsOf: (
    runnable: Runnable,
    hidden: tf.Tensor,
    rows?: LabelledRows,
  ) => ReadonlyMap<string, tf.Scalar> | undefined;
}

/** Loss and metrics of a prepared batch. */
export function lossOfPass(name: string, prepared: PreparedBatch, whole: LabelledRows | undefined): LossOfPass {
  return {
    lossOf(runnable, hidden, rows = whole) {
      const value: unknown = prepared.loss(runnable, hidden, rows);
      if (isTensor(value) && value.size === 1 && value.dtype === 'float32') {
        return value.rank === 0 ? value : tf.reshape(value, []);
      }
      throw problem('compose', {
        what: `${name === 'a loss function' ? 'the loss function' : `the objective '${name}'`} returned what is no loss`,
        got: describe(value),
        expected: 'a scalar tensor of float32, such as tf.mean(…)',
      });
    },
    metricsOf: (runnable, hidden, rows = whole) => metricsOf(prepared, runnable, hidden, rows),
  };
}

function describe(value: unknown): unknown {
  return isTensor(value) ? `a tensor of ${value.dtype} [${value.shape.join(', ')}]` : value;
}

function isTensor(value: unknown): value is tf.Tensor {
  return value instanceof tf.Tensor;
}
