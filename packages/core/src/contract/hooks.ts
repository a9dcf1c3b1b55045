import type * as tf from '@tensorflow/tfjs';
import type { KeyValue, Scope } from './branch.ts';

/**
 * The places inside a model that an adapter fills. An absent hook is the plain model.
 * Hooks are called for every module; they look into the scope `p` to see whether this one is adapted, and take every
 * number that differs between layers from there: a number captured by the function would be shared by all layers.
 */
export interface Hooks {
  /**
   * A linear layer.
   *
   * @param name - the layer's name in the scope: `'self_attn.q_proj'`
   * @param x - `[batch, time, inFeatures]`
   * @param base - the layer without the adapter, bias included
   * @returns `[batch, time, outFeatures]`
   */
  linear?(name: string, x: tf.Tensor, base: (x: tf.Tensor) => tf.Tensor, p: Scope): tf.Tensor;
  /**
   * A look-up in a table of rows: tokens, or learned positions. Called for every look-up, in generation too.
   *
   * @param name - the embedding's full name: `'model.embed_tokens'`
   * @param indices - int32, any shape
   * @param base - the look-up without the adapter
   * @returns `[…indices.shape, width]`
   */
  embedding?(name: string, indices: tf.Tensor, base: (indices: tf.Tensor) => tf.Tensor, p: Scope): tf.Tensor;
  /**
   * The keys and values that the queries of an attention branch see, after position encoding.
   *
   * @param name - the attention module's name in the scope: `'self_attn'`
   */
  keyValue?(name: string, pair: KeyValue, p: Scope): KeyValue;
  /**
   * The embedded tokens, before the first branch. Called at the start of a sequence alone, not for the tokens that a
   * generation adds to it.
   *
   * @param name - the embedding's name: `'model.embed_tokens'`
   * @param x - `[batch, time, hiddenSize]`
   */
  embed?(name: string, x: tf.Tensor, p: Scope): tf.Tensor;
}
