import type * as tf from '@tensorflow/tfjs';
import type { Hooks } from './hooks.ts';

/** Tensors by name: parameters below a block (`self_attn.q_proj.weight`), or inputs that all branches share. */
export type Scope = Readonly<Record<string, tf.Tensor>>;

/** The size of a batch, in sequences and in tokens per sequence. */
export interface BatchShape {
  /** Sequences. */
  readonly batch: number;
  /** Tokens of each sequence, padding included. */
  readonly time: number;
}

/** What a branch reads besides its input and its parameters. */
export interface BranchContext {
  /** Tensors that every branch of this pass reads, made by {@link Model.shared}: rotary tables, key biases. */
  readonly shared: Scope;
  /** Whether the sequence begins here: no earlier token of it has keys in a cache. */
  readonly isStart: boolean;
  /**
   * Generation only: stores this pass's keys and values, both `[batch, kvHeads, time, headSize]`, and returns those of
   * the whole sequence so far.
   */
  readonly extendCache?: (keys: tf.Tensor, values: tf.Tensor) => KeyValue;
  /** Keys and values of the tokens in front, which another pass has run: constants, for `front` of `attention`. */
  readonly front?: KeyValue | undefined;
}

/** Sizes of attention: how many heads queries have, and keys and values, and how wide each is. */
export interface AttentionHeads {
  /** Heads of queries. */
  readonly heads: number;
  /** Heads of keys and values; a divisor of `heads`. */
  readonly kvHeads: number;
  /** Width of a head. */
  readonly headSize: number;
}

/** Keys and values of attention, each `[batch, kvHeads, time, headSize]`. */
export interface KeyValue {
  /** `[batch, kvHeads, time, headSize]`. */
  readonly keys: tf.Tensor;
  /** `[batch, kvHeads, time, headSize]`. */
  readonly values: tf.Tensor;
}

/**
 * How the result of a branch enters the residual stream. A drop cuts the branch alone: the gradient still passes the join, and
 * the parameters of the join still get theirs.
 */
export interface Join {
  /** Those of {@link Branch.modules} whose parameters the join reads: `['output.LayerNorm']`. */
  readonly modules: readonly string[];
  /**
   * The stream behind the branch, `[batch, time, hiddenSize]`: of a post-norm model `norm(stream + result)`. The same function
   * object in every layer of equal structure. The caller owns the result.
   *
   * @param stream - the residual stream in front of the branch
   * @param result - what `apply` gave, of the same shape
   * @param p - the branch's parameters, by name below `block`
   */
  readonly apply: (stream: tf.Tensor, result: tf.Tensor, p: Scope) => tf.Tensor;
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
  /**
   * Module names below `block` whose parameters the branch reads: `['input_layernorm', 'self_attn']`. Branches of one block
   * may both name a module that they share, such as the one norm of Phi's blocks.
   */
  readonly modules: readonly string[];
  /**
   * Whether it reads the same input as the branch before it, and not what comes out of that one: the sublayers of a
   * parallel block, `x + f(x) + g(x)` (GPT-NeoX, Phi). @defaultValue false
   */
  readonly sharesInput?: boolean;
  /**
   * How its result enters the stream. A branch of a parallel block has none of its own. @defaultValue it is added
   */
  readonly join?: Join;
  /** Which half of a layer it is. */
  readonly kind: 'attention' | 'mlp';
  /** Of an attention branch: the sizes of its heads. */
  readonly heads?: AttentionHeads;
  /** FLOPs of one forward pass (a multiply and an add are two). */
  flops(shape: BatchShape): number;
  /**
   * What is added to the residual stream, or what {@link Branch.join} takes. The caller owns the result.
   *
   * @param x - `[batch, time, hiddenSize]`
   * @param p - the branch's parameters, by name below `block`
   */
  readonly apply: (x: tf.Tensor, p: Scope, hooks: Hooks, context: BranchContext) => tf.Tensor;
}
