import type * as tf from '@tensorflow/tfjs';
import { embedding, type Hooks, type Scope } from '@dropbp/core';

/**
 * A table of rows with the hook of an adapter around its look-up.
 *
 * @param name - the embedding's full name
 * @param indices - int32, any shape
 * @returns `[…indices.shape, width]`
 */
export function embeddingLayer(name: string, indices: tf.Tensor, p: Scope, hooks: Hooks): tf.Tensor {
  const base = (rows: tf.Tensor): tf.Tensor => embedding(p[`${name}.weight`]!, rows);
  return hooks.embedding === undefined ? base(indices) : hooks.embedding(name, indices, base, p);
}
