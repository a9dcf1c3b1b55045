import * as tf from '@tensorflow/tfjs';
import type { LoraLayer } from './loraLayers.ts';

/** `W + scaling · B · A` in float32, in the layout of the layer's weight. The caller owns the result. */
export function mergeLayer(weight: tf.Tensor, { kind, scaling }: LoraLayer, a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    // (B · A)ᵀ = Aᵀ · Bᵀ: Conv1D stores its weight [in, out].
    const product = kind === 'linear' ? tf.matMul(b, a) : tf.matMul(a, b, true, true);
    return tf.add(weight, tf.mul(product, scaling));
  });
}
