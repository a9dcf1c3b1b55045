import * as tf from '@tensorflow/tfjs';

/** What one AdamW step of one parameter reads: tensors of the parameter's shape, then scalars. */
export interface AdamWInputs {
  readonly value: tf.Tensor;
  readonly gradient: tf.Tensor;
  /** First moment m. */
  readonly mean: tf.Tensor;
  /** Second moment v, not centred. */
  readonly square: tf.Tensor;
  /** `1 - beta1` */
  readonly meanRate: tf.Tensor;
  /** `beta2` */
  readonly squareKeep: tf.Tensor;
  /** `1 - beta2` */
  readonly squareRate: tf.Tensor;
  readonly epsilon: tf.Tensor;
  /** `1 - learningRate · weightDecay` */
  readonly keep: tf.Tensor;
  /** `learningRate / (1 - beta1^t)` */
  readonly stepSize: tf.Tensor;
  /** `1 / sqrt(1 - beta2^t)` */
  readonly correction: tf.Tensor;
}

/**
 * The step as a plain function of tensors, all numbers included, so that an engine compiles it once per shape. The decay is
 * apart from the gradient, epsilon is added to the corrected root.
 * Source: Loshchilov and Hutter, arXiv 1711.05101, in the form of torch.optim.AdamW.
 *
 * @returns the new value, mean and square
 */
export function adamWUpdate(inputs: AdamWInputs): [value: tf.Tensor, mean: tf.Tensor, square: tf.Tensor] {
  const { value, gradient, keep, stepSize, correction } = inputs;
  const mean = tf.add(inputs.mean, tf.mul(tf.sub(gradient, inputs.mean), inputs.meanRate));
  const square = tf.add(tf.mul(inputs.square, inputs.squareKeep), tf.mul(tf.square(gradient), inputs.squareRate));
  const root = tf.add(tf.mul(tf.sqrt(square), correction), inputs.epsilon);
  const step = tf.mul(tf.div(mean, root), stepSize);
  return [tf.sub(tf.mul(value, keep), step), mean, square];
}
