import * as tf from '@tensorflow/tfjs';
import { headLogits, causal, type Batch, type Objective } from '@dropbp/core';

/**
 * A loss of one's own: a plain tfjs function, through which the gradient flows. In accumulation and evaluation it weighs as
 * many tokens as the batch has labels that count, so it should be a mean over them.
 *
 * @param logits - float32 `[batch, time, vocabSize]`: those at `t` predict the token at `t + 1`
 * @param batch - as it was given
 * @returns a scalar
 */
export type LossFunction = (logits: tf.Tensor, batch: Batch) => tf.Tensor;

/** The objective that a loss function is: it reads all logits, so no text can be divided. */
export function lossFunctionObjective(loss: LossFunction): Objective<Batch> {
  return {
    ...causal(),
    name: 'a loss function',
    dividesTexts: false,
    prepare: (batch, _runnable, rows) => ({
      weight: rows!.labels.length,
      loss: (runnable, hidden) => {
        const virtual = hidden.shape[1]! - rows!.time;
        const own = virtual === 0 ? hidden : tf.slice(hidden, [0, virtual, 0], [-1, rows!.time, -1]);
        return loss(headLogits(runnable, own), batch) as tf.Scalar;
      },
    }),
  };
}
