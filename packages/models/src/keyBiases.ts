import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import { HIDDEN, type PassShape, type Scope } from '@dropbp/core';

/**
 * What hides keys in a pass, for {@link attend}. The caller owns the tensors.
 *
 * - with an attention mask: `keyBias` `[batch, time]` that hides padding
 * - decoding with a cache: `keyBias` `[batch, capacity]` that hides what is not there yet, and for models with a sliding
 *   window `windowKeyBias`, which also hides what has left it
 *
 * @param window - the model's sliding window, in keys
 */
export function keyBiases(pass: PassShape, window?: number): Scope {
  const { batch, offset = 0, attentionMask, cacheCapacity } = pass;
  if (cacheCapacity === undefined) {
    if (attentionMask === undefined) return {};
    return { keyBias: tf.tidy(() => tf.mul(tf.sub(1, tf.cast(attentionMask, 'float32')), HIDDEN)) };
  }
  if (attentionMask !== undefined || pass.time !== 1 || offset >= cacheCapacity) {
    throw problem('models', {
      what: 'this pass cannot be decoded with a cache',
      got: { time: pass.time, offset, cacheCapacity, attentionMask: attentionMask?.shape },
      expected: 'one token, at an offset below the capacity, without an attention mask',
    });
  }
  const bias = (first: number): tf.Tensor => {
    const row = Float32Array.from({ length: cacheCapacity }, (_, j) => (j < first || j > offset ? HIDDEN : 0));
    const rows = new Float32Array(batch * cacheCapacity);
    for (let i = 0; i < batch; i++) rows.set(row, i * cacheCapacity);
    return tf.tensor2d(rows, [batch, cacheCapacity]);
  };
  return { keyBias: bias(0), ...(window !== undefined && { windowKeyBias: bias(offset - window + 1) }) };
}
