import * as tf from '@tensorflow/tfjs';

/** What one AdamW step of one parameter reads. All but the last three have the parameter's shape. */
export interface AdamWInputs {
  readonly value: tf.Tensor;
  readonly gradient: tf.Tensor;
  /** First moment m. */
  readonly mean: tf.Tensor;
  /** Second moment v, not centred. */
  readonly square: tf.Tensor;
  /** Scalar: `1 - learningRate · weightDecay`. */
  readonly keep: tf.Tensor;
  /** Scalar: `learningRate / (1 - beta1^t)`. */
  readonly stepSize: tf.Tensor;
  /** Scalar: `1 / sqrt(1 - beta2^t)`. */
  readonly correction: tf.Tensor;
}

/** The numbers that stay the same in all steps. */
export interface AdamWConstants {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

/**
 * The step as a plain function of tensors, numbers that change from step to step included, so that an engine can compile
 * it once per shape. `value` is decoupled from the decay, epsilon is added to the corrected root.
 * Source: Loshchilov and Hutter, arXiv 1711.05101, in the form of torch.optim.AdamW.
 */
export function adamWUpdate(
  { value, gradient, mean, square, keep, stepSize, correction }: AdamWInputs,
  { beta1, beta2, epsilon }: AdamWConstants,
): { value: tf.Tensor; mean: tf.Tensor; square: tf.Tensor } {
  const newMean = tf.add(tf.mul(mean, beta1), tf.mul(gradient, 1 - beta1));
  const newSquare = tf.add(tf.mul(square, beta2), tf.mul(tf.square(gradient), 1 - beta2));
  const root = tf.add(tf.mul(tf.sqrt(newSquare), correction), epsilon);
  const step = tf.mul(tf.div(newMean, root), stepSize);
  return { value: tf.sub(tf.mul(value, keep), step), mean: newMean, square: newSquare };
}
