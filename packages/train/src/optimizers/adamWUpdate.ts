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
  /** `1 - learningRate · weightDecay` */
  readonly keep: tf.Tensor;
  /** `learningRate · sqrt(1 - beta2^t) / (1 - beta1^t)` */
  readonly stepSize: tf.Tensor;
  /** `epsilon · sqrt(1 - beta2^t)` */
  readonly epsilon: tf.Tensor;
}

/**
 * The step as a plain function of tensors, all numbers included, so that an engine compiles it once per shape. The decay is
 * apart from the gradient. Both corrections of the moments are in the scalars, epsilon's included: it is added to the corrected
 * root, as in torch.optim.AdamW, with an operation less.
 * Sources: Loshchilov and Hutter, arXiv 1711.05101; Kingma and Ba, arXiv 1412.6980, section 2, for the order of computation.
 *
 * @returns the new value, mean and square
 */
export function adamWUpdate(inputs: AdamWInputs): [value: tf.Tensor, mean: tf.Tensor, square: tf.Tensor] {
  const { value, gradient, keep, stepSize, epsilon } = inputs;
  const mean = tf.add(inputs.mean, tf.mul(tf.sub(gradient, inputs.mean), inputs.meanRate));
  const square = tf.add(tf.mul(inputs.square, inputs.squareKeep), tf.mul(tf.square(gradient), inputs.squareRate));
  const step = tf.mul(tf.div(mean, tf.add(tf.sqrt(square), epsilon)), stepSize);
  return [tf.sub(tf.mul(value, keep), step), mean, square];
}
