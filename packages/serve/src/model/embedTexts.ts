import * as tf from '@tensorflow/tfjs';
import { bucketLength } from '@dropbp/basics';
import { activeEngine, encodeForPasses, runPass, type Runnable } from '@dropbp/core';

/** Texts that run together. */
const ROWS = 8;

/**
 * The mean of a model's last states over the tokens of each text, of length 1 as OpenAI's.
 *
 * @returns `[hiddenSize]` of each text
 */
export async function embedTexts(
  runnable: Runnable,
  texts: readonly Int32Array[],
  signal: AbortSignal,
): Promise<Float32Array[]> {
  const encoded = encodeForPasses(runnable);
  const vectors: Float32Array[] = [];
  try {
    for (let start = 0; start < texts.length; start += ROWS) {
      signal.throwIfAborted();
      vectors.push(...(await embedRows(encoded.runnable, texts.slice(start, start + ROWS))));
    }
  } finally {
    encoded.dispose();
  }
  return vectors;
}

async function embedRows(runnable: Runnable, texts: readonly Int32Array[]): Promise<Float32Array[]> {
  const { model, virtualTokens = 0, virtualKeys = 0 } = runnable;
  const longest = Math.max(...texts.map(({ length }) => length));
  const isExact = activeEngine() === undefined || model.positionsChangeBeyond !== undefined;
  const time = isExact ? longest : bucketLength(longest, model.maxPositions - virtualTokens - virtualKeys);
  const means = tf.tidy(() => {
    const tokens = new Int32Array(texts.length * time);
    const weights = new Float32Array(texts.length * time);
    texts.forEach((text, row) => {
      tokens.set(text, row * time);
      weights.fill(1 / text.length, row * time, row * time + text.length);
    });
    const inputIds = tf.tensor2d(tokens, [texts.length, time], 'int32');
    // What fills a row up comes behind its text. A decoder's states do not see it, those of an encoder must not.
    const isMasked = model.isCausal === false;
    const attentionMask = isMasked
      ? tf.cast(tf.greater(tf.tensor2d(weights, [texts.length, time]), 0), 'int32')
      : undefined;
    const hidden = runPass(runnable, { inputIds, attentionMask });
    const own = tf.slice(hidden, [0, hidden.shape[1]! - time, 0], [texts.length, time, -1]);
    const states = model.head.normalize(own, runnable.outerScope);
    const sums = tf.matMul(tf.tensor3d(weights, [texts.length, 1, time]), states);
    const flat = tf.reshape(sums, [texts.length, -1]);
    return tf.div(flat, tf.maximum(tf.norm(flat, 2, 1, true), 1e-12));
  });
  const values = (await means.data()) as Float32Array;
  means.dispose();
  const width = values.length / texts.length;
  return texts.map((_, row) => values.slice(row * width, (row + 1) * width));
}
