import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import { causalLoss, headLogits, type Batch, type LabelledRows, type Runnable } from '@dropbp/core';
import type { LossFunction } from '../composeOptions.ts';

/** The loss of a pass, a scalar. @param hidden - `[batch, time, hiddenSize]` before the final norm, virtual tokens included */
export type LossOfPass = (runnable: Runnable, hidden: tf.Tensor) => tf.Tensor;

/** Cross-entropy, or the loss that was given. */
export function lossOfPass(batch: Batch, rows: LabelledRows, loss: LossFunction | undefined): LossOfPass {
  if (loss === undefined) return (runnable, hidden) => causalLoss(runnable, hidden, rows);
  return (runnable, hidden) => {
    const virtual = hidden.shape[1]! - rows.time;
    const own = virtual === 0 ? hidden : tf.slice(hidden, [0, virtual, 0], [-1, rows.time, -1]);
    const value = loss(headLogits(runnable, own), batch);
    if (isTensor(value) && value.size === 1 && value.dtype === 'float32') return tf.reshape(value, []);
    throw problem('compose', {
      what: 'the loss function returned what is no loss',
      got: describe(value),
      expected: 'a scalar tensor of float32, such as tf.mean(…)',
    });
  };
}

function describe(value: unknown): unknown {
  return isTensor(value) ? `a tensor of ${value.dtype} [${value.shape.join(', ')}]` : value;
}

function isTensor(value: unknown): value is tf.Tensor {
  return value instanceof tf.Tensor;
}
