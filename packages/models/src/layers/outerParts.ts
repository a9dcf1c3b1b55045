import type * as tf from '@tensorflow/tfjs';
import { scale, type Hooks, type Scope, type SequencePlace } from '@dropbp/core';
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

/** Factors and caps around the branches. */
export interface OuterFactors {
  /** On the rows of tokens, not on virtual tokens. @defaultValue 1 */
  readonly token?: number | undefined;
  /** On all that goes into the first branch. @defaultValue 1 */
  readonly stream?: number | undefined;
  /** See `Head.logitFactor`. */
  readonly logitFactor?: number | undefined;
  /** See `Head.logitCap`. */
  readonly logitCap?: number | undefined;
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
  factors: OuterFactors = {},
): Pick<Definition, 'embedding' | 'isEmbeddingParameter' | 'isHeadParameter' | 'embed' | 'head'> {
  const weight = `${isTied ? tokens : head}.weight`;
  const isHeadOnly = (name: string): boolean => name.startsWith(`${norm}.`) || name.startsWith(`${head}.`);
  return {
    embedding: tokens,
    isEmbeddingParameter: name => !isHeadOnly(name),
    isHeadParameter: name => isHeadOnly(name) || name === weight,
    embed(indices, p, hooks, place) {
      const x = embedTokens(tokens, indices, p, hooks, place, factors.token);
      return scaleUnlessOne(x, factors.stream);
    },
    head: {
      path: head,
      weight,
      normalize,
      ...(factors.logitFactor !== undefined && { logitFactor: factors.logitFactor }),
      ...(factors.logitCap !== undefined && { logitCap: factors.logitCap }),
      project: (x, p, hooks) => linearLayer(head, x, isTied ? { [`${head}.weight`]: p[weight]!, ...p } : p, hooks),
    },
  };
}

/**
 * The rows of the tokens, behind what an adapter puts in front of a sequence that begins here.
 *
 * @param indices - int32 `[batch, time]`
 * @param factor - on the rows. @defaultValue 1
 * @returns `[batch, time, hiddenSize]`, longer with virtual tokens
 */
export function embedTokens(
  tokens: string,
  indices: tf.Tensor,
  p: Scope,
  hooks: Hooks,
  { isStart }: SequencePlace,
  factor?: number,
): tf.Tensor {
  const x = scaleUnlessOne(embeddingLayer(tokens, indices, p, hooks), factor);
  return isStart && hooks.embed !== undefined ? hooks.embed(tokens, x, p) : x;
}

function scaleUnlessOne(x: tf.Tensor, factor: number = 1): tf.Tensor {
  return factor === 1 ? x : scale(x, factor);
}
