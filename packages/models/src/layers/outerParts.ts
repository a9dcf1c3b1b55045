import type * as tf from '@tensorflow/tfjs';
import type { Hooks, Scope, SequencePlace } from '@dropbp/core';
import type { Definition } from '../architectures/architecture.ts';
import { embeddingLayer } from './embeddingLayer.ts';
import { linearLayer } from './linearLayer.ts';

/** Paths of the modules outside the branches. */
interface OuterPaths {
  /** The table of tokens. */
  readonly tokens: string;
  /** The final norm. */
  readonly norm: string;
  /** The output layer. */
  readonly head: string;
}

/**
 * What a definition says of the modules outside the branches. Those that it does not name, such as a table of positions, belong
 * to the embedding.
 *
 * @param isTied - whether the output layer's weight is the table of tokens
 * @param normalize - the final norm
 */
export function outerParts(
  { tokens, norm, head }: OuterPaths,
  isTied: boolean,
  normalize: (x: tf.Tensor, p: Scope) => tf.Tensor,
): Pick<Definition, 'embedding' | 'isEmbeddingParameter' | 'isHeadParameter' | 'embed' | 'head'> {
  const weight = `${isTied ? tokens : head}.weight`;
  const isHeadOnly = (name: string): boolean => name.startsWith(`${norm}.`) || name.startsWith(`${head}.`);
  return {
    embedding: tokens,
    isEmbeddingParameter: name => !isHeadOnly(name),
    isHeadParameter: name => isHeadOnly(name) || name === weight,
    embed: (indices, p, hooks, place) => embedTokens(tokens, indices, p, hooks, place),
    head: {
      path: head,
      weight,
      normalize,
      project: (x, p, hooks) => linearLayer(head, x, isTied ? { [`${head}.weight`]: p[weight]!, ...p } : p, hooks),
    },
  };
}

/**
 * The rows of the tokens, behind what an adapter puts in front of a sequence that begins here.
 *
 * @param indices - int32 `[batch, time]`
 * @returns `[batch, time, hiddenSize]`, longer with virtual tokens
 */
export function embedTokens(
  tokens: string,
  indices: tf.Tensor,
  p: Scope,
  hooks: Hooks,
  { isStart }: SequencePlace,
): tf.Tensor {
  const x = embeddingLayer(tokens, indices, p, hooks);
  return isStart && hooks.embed !== undefined ? hooks.embed(tokens, x, p) : x;
}
