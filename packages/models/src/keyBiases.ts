import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import { HIDDEN, type PassShape, type Scope } from '@dropbp/core';

/**
 * What hides keys in a pass, for {@link attend}. The caller owns the tensors.
 *
 * - with an attention mask: `keyBias` `[batch, time]` that hides padding
 * - decoding with a cache: `keyBias` `[batch, capacity]` that hides what is not there yet, and for models with a sliding
 *   window `windowKeyBias` `[batch, window − 1 + capacity]`, which also hides what has left it, keys that an adapter puts
 *   in front included: of those, no more than the window can be seen
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
  /** Of the cache and `before` keys in front of it: hides those below `first` and above the offset. */
  const bias = (before: number, first: number): tf.Tensor => {
    const length = before + cacheCapacity;
    const rows = Float32Array.from({ length: batch * length }, (_, i) => {
      const position = (i % length) - before;
      return position < first || position > offset ? HIDDEN : 0;
    });
    return tf.tensor2d(rows, [batch, length]);
  };
  if (window === undefined) return { keyBias: bias(0, 0) };
  return { keyBias: bias(0, 0), windowKeyBias: bias(window - 1, offset - window + 1) };
}
