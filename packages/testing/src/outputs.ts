import * as tf from '@tensorflow/tfjs';
import { seededRandom } from '@dropbp/basics';
import {
  asRunnable,
  crossEntropy,
  findTokenHead,
  forwardLogits,
  forwardStates,
  headStates,
  type Model,
  type Runnable,
  type StatesOptions,
  type Subject,
  type TokenRows,
} from '@dropbp/core';

/** What a model makes of tokens: logits, or the states of one that writes no text. The caller owns them. */
export function forwardOutputs(subject: Subject, rows: TokenRows, options?: StatesOptions): tf.Tensor {
  const runnable = asRunnable(subject);
  if (findTokenHead(runnable.model) === undefined) return forwardStates(runnable, rows, options);
  return forwardLogits(runnable, rows, options);
}

/** Width of what {@link forwardOutputs} gives. */
export function outputWidth(model: Model): number {
  return findTokenHead(model) === undefined ? model.hiddenSize : model.vocabSize;
}

/** Scores of every token by a head that is made up, for the states of a model without one. The caller owns them. */
export function madeUpLogits({ hiddenSize, vocabSize }: Model, states: tf.Tensor): tf.Tensor {
  const random = seededRandom(43);
  return tf.tidy(() => {
    const values = Float32Array.from({ length: hiddenSize * vocabSize }, () => random.normal());
    const flat = tf.reshape<tf.Rank.R2>(states, [-1, hiddenSize]);
    return tf.reshape(tf.matMul(flat, tf.tensor2d(values, [hiddenSize, vocabSize])), [
      ...states.shape.slice(0, -1),
      vocabSize,
    ]);
  });
}

/**
 * A loss for a model that writes no text: cross-entropy of {@link madeUpLogits} against a label for each token, −100 for none.
 *
 * @param hidden - what `runPass` gives
 * @param factor - on the scores. @defaultValue 1
 */
export function statesLoss(
  runnable: Runnable,
  hidden: tf.Tensor,
  labels: readonly (readonly number[])[],
  factor: number = 1,
): tf.Tensor {
  const [batch, time] = [labels.length, labels[0]!.length];
  const own = tf.slice(hidden, [0, hidden.shape[1]! - time, 0], [batch, time, -1]);
  const scores = tf.mul(madeUpLogits(runnable.model, headStates(runnable, own)), factor);
  const logits = tf.reshape(scores, [batch * time, -1]);
  const flat = labels.flat();
  const count = flat.filter(label => label >= 0).length;
  return crossEntropy(logits, {
    labels: tf.tensor1d(flat.map(label => Math.max(0, label)), 'int32'), // prettier-ignore
    weights: tf.tensor1d(flat.map(label => (label >= 0 ? 1 / count : 0))),
  });
}
