import type * as tf from '@tensorflow/tfjs';
import type { KeyValue, Scope } from './branch.ts';

/** What {@link Hooks.attention} works with. */
export interface AttentionParts {
  /** `[batch, heads, time, headSize]`, positions encoded. */
  readonly queries: tf.Tensor;
  /** What the queries gathered from the values, `[batch, heads, time, headSize]`. */
  readonly gathered: tf.Tensor;
  /** Keys and values, `[n, kvHeads, m, headSize]`, of other states `[n, m, hiddenSize]`, without positions. */
  readonly keyValue: (states: tf.Tensor) => KeyValue;
  /** The output layer, from `[batch, heads, time, headSize]` to `[batch, time, hiddenSize]`. */
  readonly output: (gathered: tf.Tensor) => tf.Tensor;
}

/** What {@link Hooks.parameter} multiplies with; `layout` as in `linear`, for matrices that lie otherwise. @defaultValue 'outIn' */
export type MultiplyRows = (rows: tf.Tensor, matrices: tf.Tensor, layout?: 'outIn' | 'inOut') => tf.Tensor;

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
   * A product with a parameter that belongs to no linear layer: the matrix of a router, or those of experts.
   *
   * @param name - the parameter's name in the scope: `'mlp.experts.gate_up_proj'`
   * @param x - the rows, in a layout of the model's own
   * @param multiply - rows times matrices of any width in the layout of the parameter, `[out, in]`, or `[experts, out, in]`, bias
   * excluded. What adds up with its results has their layout
   * @returns what `multiply(x, p[name])` returns without an adapter
   */
  parameter?(name: string, x: tf.Tensor, multiply: MultiplyRows, p: Scope): tf.Tensor;
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
   * The keys and values that the queries of an attention branch see, after position encoding. Called at the start of a
   * sequence alone: what it puts in front of them stays in the cache of a generation.
   *
   * @param name - the attention module's name in the scope: `'self_attn'`
   */
  keyValue?(name: string, pair: KeyValue, p: Scope): KeyValue;
  /**
   * The last part of an attention branch, from what its queries gathered to what the branch adds.
   *
   * @param name - the attention module's name in the scope
   * @returns `[batch, time, hiddenSize]`; without an adapter `parts.output(parts.gathered)`
   */
  attention?(name: string, parts: AttentionParts, p: Scope): tf.Tensor;
  /**
   * The embedded tokens, before the first branch. Called at the start of a sequence alone, not for the tokens that a
   * generation adds to it.
   *
   * @param name - the embedding's name: `'model.embed_tokens'`
   * @param x - `[batch, time, hiddenSize]`
   */
  embed?(name: string, x: tf.Tensor, p: Scope): tf.Tensor;
}
