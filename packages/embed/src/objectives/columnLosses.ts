import * as tf from '@tensorflow/tfjs';
import { labelLosses } from '@dropbp/core';
import { unitRows } from '../layers.ts';

/** A mean loss of embeddings in columns `[groups, width]`: anchors, positives, … @param scores - `[groups]`, where the loss has such */
export type ColumnLoss = (columns: readonly tf.Tensor[], scores: tf.Tensor1D | undefined) => tf.Scalar;

interface MeasuredLoss {
  readonly loss: ColumnLoss;
  /** How many anchors find their positive first. */
  readonly metrics: (columns: readonly tf.Tensor[]) => { accuracy: tf.Scalar };
}

export function rankingLoss(scale: number): MeasuredLoss {
  const logitsOf = ([anchors, ...others]: readonly tf.Tensor[]): tf.Tensor2D => {
    const candidates = unitRows(others.length === 1 ? others[0]! : tf.concat([...others], 0)) as tf.Tensor2D;
    return tf.mul(tf.matMul(unitRows(anchors!) as tf.Tensor2D, candidates, false, true), scale);
  };
  const targets = ([anchors]: readonly tf.Tensor[]): tf.Tensor1D =>
    tf.tensor1d(Int32Array.from({ length: anchors!.shape[0] }, (_, i) => i), 'int32'); // prettier-ignore
  return {
    loss: columns => tf.mean(labelLosses(logitsOf(columns), targets(columns))),
    metrics(columns) {
      const found = tf.cast(tf.argMax(logitsOf(columns), 1), 'int32');
      return { accuracy: tf.mean(tf.cast(tf.equal(found, targets(columns)), 'float32')) };
    },
  };
}

function cosines([first, second]: readonly tf.Tensor[]): tf.Tensor1D {
  return tf.sum(tf.mul(unitRows(first!), unitRows(second!)), 1);
}

export const cosineLoss: ColumnLoss = (columns, scores) => tf.mean(tf.square(tf.sub(cosines(columns), scores!)));

export function coSentLoss(scale: number): ColumnLoss {
  return (columns, scores) => {
    const scaled = tf.mul(cosines(columns), scale);
    const differences = tf.sub(tf.expandDims(scaled, 1), tf.expandDims(scaled, 0));
    // Only pairs whose scores have an order count.
    const isLower = tf.cast(tf.less(tf.expandDims(scores!, 1), tf.expandDims(scores!, 0)), 'float32');
    const counting = tf.sub(differences, tf.mul(tf.sub(1, isLower), 1e12));
    const all = tf.concat([tf.zeros([1]), tf.reshape(counting, [-1])], 0);
    return tf.logSumExp(all);
  };
}

export function tripletLoss(margin: number): ColumnLoss {
  // PyTorch's distance adds this to each difference.
  const distance = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => tf.sqrt(tf.sum(tf.square(tf.add(tf.sub(a, b), 1e-6)), 1));
  return ([anchor, positive, negative]) => {
    const further = tf.sub(distance(anchor!, positive!), distance(anchor!, negative!));
    return tf.mean(tf.relu(tf.add(further, margin)));
  };
}
