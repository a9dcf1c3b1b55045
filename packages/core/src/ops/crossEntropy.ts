import * as tf from '@tensorflow/tfjs';
import { isTrainable } from '../trainable.ts';
import { sumByRow } from './rows.ts';
import { withGradient } from './withGradient.ts';

/** The label of each row, and how much it counts. */
export interface Targets {
  /** int32 `[rows]` */
  readonly labels: tf.Tensor;
  /** `[rows]`, 0 for a row that only fills up the chunk. */
  readonly weights: tf.Tensor;
}

/**
 * `Σ weight · −log softmax(logits)[label]`, a scalar.
 *
 * @param logits - `[rows, vocabSize]`
 */
export function crossEntropy(logits: tf.Tensor, { labels, weights }: Targets): tf.Tensor {
  const [rows, vocabSize] = logits.shape as [number, number];
  return withGradient(
    [logits],
    save => {
      const probabilities = tf.softmax(logits);
      const at = tf.add(tf.range(0, rows * vocabSize, vocabSize, 'int32'), labels);
      const labelled = tf.gather(tf.reshape(logits, [-1]), at);
      save([probabilities, labels, weights]);
      return tf.sum(tf.mul(weights, tf.sub(logSumExp(logits, probabilities), labelled)));
    },
    (dy, [probabilities, labels, weights]) => {
      const error = tf.sub(probabilities!, tf.oneHot(labels as tf.Tensor1D, vocabSize, 1, 0, 'float32'));
      return [tf.mul(error, tf.expandDims(tf.mul(weights!, dy), 1))];
    },
  );
}

/**
 * `−log softmax(logits)[label]` of each row, `[rows]`.
 *
 * @param logits - `[rows, vocabSize]`
 * @param labels - int32 `[rows]`
 */
export function labelLosses(logits: tf.Tensor, labels: tf.Tensor): tf.Tensor {
  const [rows, vocabSize] = logits.shape as [number, number];
  return withGradient(
    [logits],
    save => {
      const probabilities = tf.softmax(logits);
      const at = tf.add(tf.range(0, rows * vocabSize, vocabSize, 'int32'), labels);
      save([probabilities, labels]);
      return tf.sub(logSumExp(logits, probabilities), tf.gather(tf.reshape(logits, [-1]), at));
    },
    (dy, [probabilities, labels]) => {
      const error = tf.sub(probabilities!, tf.oneHot(labels as tf.Tensor1D, vocabSize, 1, 0, 'float32'));
      return [tf.mul(error, tf.expandDims(dy, 1))];
    },
  );
}

/**
 * {@link crossEntropy} of `x · Wᵀ`, without the one-hot matrix: the label's logit is a product with one row of W.
 *
 * @param x - `[rows, hidden]`
 * @param weight - `[vocabSize, hidden]`; takes a gradient if it is trainable
 */
export function linearCrossEntropy(x: tf.Tensor, weight: tf.Tensor, { labels, weights }: Targets): tf.Tensor {
  const trains = isTrainable(weight);
  return withGradient(
    trains ? [x, weight] : [x],
    save => {
      const logits = tf.matMul(x, weight, false, true);
      const probabilities = tf.softmax(logits);
      const labelRows = tf.gather(weight, labels);
      save([probabilities, labelRows, labels, weights, x, ...(trains ? [weight] : [])]);
      const labelled = tf.sum(tf.mul(x, labelRows), -1);
      return tf.sum(tf.mul(weights, tf.sub(logSumExp(logits, probabilities), labelled)));
    },
    (dy, [probabilities, labelRows, labels, weights, x, saved]) => {
      const factor = tf.expandDims(tf.mul(weights!, dy), 1);
      const dx = tf.mul(tf.sub(tf.matMul(probabilities!, saved ?? weight), labelRows!), factor);
      if (!trains) return [dx];
      const weighted = tf.mul(x!, factor);
      const dWeight = tf.matMul(probabilities!, weighted, true, false);
      return [dx, tf.sub(dWeight, sumByRow(weighted, labels!, weight.shape[0]))];
    },
  );
}

/** log Σ exp, from the largest logit and its probability: no second pass over the exponentials. */
function logSumExp(logits: tf.Tensor, probabilities: tf.Tensor): tf.Tensor {
  return tf.sub(tf.max(logits, -1), tf.log(tf.max(probabilities, -1)));
}
