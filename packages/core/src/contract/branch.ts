import type * as tf from '@tensorflow/tfjs';
import type { Hooks } from './hooks.ts';

/** Tensors by name: parameters below a block (`self_attn.q_proj.weight`), or inputs that all branches share. */
export type Scope = Readonly<Record<string, tf.Tensor>>;

/** The size of a batch, in sequences and in tokens per sequence. */
export interface BatchShape {
  readonly batch: number;
  readonly time: number;
}

/** What a branch reads besides its input and its parameters. */
export interface BranchContext {
  /** Tensors that every branch of this pass reads, made by {@link Model.shared}: rotary tables, key biases. */
  readonly shared: Scope;
  /**
   * Generation only: stores this pass's keys and values, both `[batch, kvHeads, time, headSize]`, and returns those of
   * the whole sequence so far.
   */
  readonly extendCache?: (keys: tf.Tensor, values: tf.Tensor) => KeyValue;
}

/** Keys and values of attention, each `[batch, kvHeads, time, headSize]`. */
export interface KeyValue {
  readonly keys: tf.Tensor;
  readonly values: tf.Tensor;
}

/**
 * A residual sublayer, the f in `x + f(x)`: the unit that DropBP drops.
 *
 * `apply` is a plain function of tensors, and the same function object in every layer of equal structure, so that all
 * of them can share what an engine compiles. What differs between layers comes in through the scope.
 */
export interface Branch {
  /** `'model.layers.3.self_attn'`: for messages and reports. */
  readonly path: string;
  /** `'model.layers.3'`: names in the branch's scope are relative to it. */
  readonly block: string;
  /** Module names below `block` whose parameters are the branch's: `['input_layernorm', 'self_attn']`. */
  readonly modules: readonly string[];
  readonly kind: 'attention' | 'mlp';
  /** FLOPs of one forward pass (a multiply and an add are two). */
  flops(shape: BatchShape): number;
  /**
   * What is added to the residual stream. The caller owns the result.
   *
   * @param x - `[batch, time, hiddenSize]`
   * @param p - the branch's parameters, by name below `block`
   */
  readonly apply: (x: tf.Tensor, p: Scope, hooks: Hooks, context: BranchContext) => tf.Tensor;
}
