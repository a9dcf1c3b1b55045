import { checkNumber, checkOptions, problem, ranges } from '@dropbp/basics';
import { asRunnable, textPositions, type Subject } from '@dropbp/core';
import type { Tokenizer } from '@dropbp/data';
import type { EmbeddingLayer } from './layers.ts';
import { checkPooling, type PoolingMode } from './pooling.ts';

/** What makes an embedding of a text: a model, how its states become one vector, and what comes behind. */
export interface Embedder {
  /** What runs the texts: a model, or what `compose` made of one. */
  readonly model: Subject;
  /** The tokenizer of the model. */
  readonly tokenizer: Tokenizer;
  /** How the states of a text become one vector. Several ways are put behind one another. */
  readonly pooling: readonly PoolingMode[];
  /** What follows the pooling, in order. */
  readonly layers: readonly EmbeddingLayer[];
  /** Tokens of a text at most: longer ones are cut off at their end. */
  readonly maxLength: number;
  /** Texts that are put in front, by name: `{ query: 'query: ' }`. */
  readonly prompts: Readonly<Record<string, string>>;
  /** Name of the prompt that is used where none is chosen. @defaultValue none */
  readonly defaultPrompt?: string;
}

/** Options of {@link makeEmbedder}. */
export interface MakeEmbedderOptions {
  /** One way or several. @defaultValue 'lasttoken': the state of the last token */
  readonly pooling?: PoolingMode | readonly PoolingMode[];
  /** Whether vectors get length 1. @defaultValue true */
  readonly normalize?: boolean;
  /** Tokens of a text at most. @defaultValue 512, or as many as the model has positions for */
  readonly maxLength?: number;
  /** Texts that are put in front, by name. @defaultValue none */
  readonly prompts?: Readonly<Record<string, string>>;
}

/**
 * Makes an embedder of any model, such as one that writes text. The model stays the caller's.
 *
 * @throws Problem for options that are not usable
 *
 * @example
 * ```ts
 * const embedder = makeEmbedder(model, tokenizer, { pooling: 'mean' });
 * const [vector] = await embed(embedder, ['a text']);
 * ```
 */
export function makeEmbedder(model: Subject, tokenizer: Tokenizer, options: MakeEmbedderOptions = {}): Embedder {
  checkOptions('embed', 'makeEmbedder()', options, ['pooling', 'normalize', 'maxLength', 'prompts']);
  const longest = textPositions(asRunnable(model));
  const { pooling = 'lasttoken', normalize = true, maxLength = Math.min(512, longest), prompts = {} } = options;
  checkNumber('embed', 'maxLength', maxLength, ranges.count);
  if (maxLength > longest) {
    throw problem('embed', { what: 'maxLength is too large', got: maxLength, expected: `at most ${longest}` });
  }
  return {
    model,
    tokenizer,
    pooling: checkPooling(typeof pooling === 'string' ? [pooling] : pooling, 'pooling'),
    layers: normalize ? [{ kind: 'normalize' }] : [],
    maxLength,
    prompts,
  };
}
