import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import { HIDDEN, type PassShape, type Scope } from '@dropbp/core';

/**
 * What hides keys in a pass, for {@link attend}. The caller owns the tensors.
 *
 * - with an attention mask: `keyBias` `[batch, time]` that hides padding
 * - with positions: `textStarts` `[batch, time]`, where among the tokens each one's text begins
 * - decoding with a cache: `keyBias` `[batch, capacity]` that hides what is not there yet, and for models with a sliding
 *   window `windowKeyBias` of the same shape, which also hides what has left it
 * - with lanes: their mask, `keyBegins`, `keyEnds`, and with a sliding window `keyPositions`, `[batch, keys]`
 *
 * @param window - the model's sliding window, in keys
 */
export function keyBiases(pass: PassShape, window?: number): Scope {
  const { batch, offset = 0, attentionMask, positions, cacheCapacity, lanes } = pass;
  if (lanes !== undefined) {
    const { begins, ends, positions } = lanes.keys;
    return {
      keyBegins: begins.clone(),
      keyEnds: ends.clone(),
      ...(window !== undefined && positions !== undefined && { keyPositions: positions.clone() }),
    };
  }
  if (cacheCapacity === undefined) {
    if (positions !== undefined && window !== undefined) checkNothingInFront(pass, positions);
    return tf.tidy(() => ({
      ...(attentionMask !== undefined && { keyBias: tf.mul(tf.sub(1, tf.cast(attentionMask, 'float32')), HIDDEN) }),
      ...(positions !== undefined && { textStarts: startsOf(positions) }),
    }));
  }
  const offsets = Array.from({ length: batch }, (_, row) => (typeof offset === 'number' ? offset : offset[row]!));
  if (
    attentionMask !== undefined ||
    positions !== undefined ||
    pass.time !== 1 ||
    Math.max(...offsets) >= cacheCapacity
  ) {
    throw problem('models', {
      what: 'this pass cannot be decoded with a cache',
      got: { time: pass.time, offset, cacheCapacity, attentionMask: attentionMask?.shape },
      expected: 'one token, at an offset below the capacity, without an attention mask or positions',
    });
  }
  /** Hides all but the last `seen` keys up to each sequence's own token. */
  const bias = (seen: number): tf.Tensor => {
    const rows = Float32Array.from({ length: batch * cacheCapacity }, (_, i) => {
      const back = offsets[Math.floor(i / cacheCapacity)]! - (i % cacheCapacity);
      return back < 0 || back >= seen ? HIDDEN : 0;
    });
    return tf.tensor2d(rows, [batch, cacheCapacity]);
  };
  return { keyBias: bias(Infinity), ...(window !== undefined && { windowKeyBias: bias(window) }) };
}

/** @throws Problem for what is in front of all texts of a row: from a later one it is farther than from the first, past the window */
function checkNothingInFront({ time, offset = 0 }: PassShape, positions: tf.Tensor): void {
  const virtual = time - positions.shape[1]! + Math.max(...[offset].flat());
  if (virtual === 0) return;
  throw problem('models', {
    what: 'rows of several texts behind virtual tokens are not possible with a sliding window',
    got: `${virtual} virtual tokens`,
    fix: 'train on rows of one text each, without packing',
  });
}

/** A token at position p of its text stands p tokens behind the text's first. */
function startsOf(positions: tf.Tensor): tf.Tensor {
  return tf.sub(tf.range(0, positions.shape[1]!), tf.cast(positions, 'float32'));
}
