import { problem } from '@dropbp/basics';
import type { Activation } from '@dropbp/core';
import { activations } from '../../layers/activations.ts';
import type { ConfigReader } from '../configReader.ts';

/** What the configurations of encoders have in common. */
export interface EncoderSizes {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly innerSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly maxPositions: number;
  readonly activation: Activation;
  readonly epsilon: number;
  readonly initialDeviation: number;
}

/** Keys that change no state: dropout is not applied, and the output layer of the pre-training is not there. */
export const inertInEncoders: readonly string[] = [
  ...['hidden_dropout_prob', 'attention_probs_dropout_prob', 'tie_word_embeddings'],
];

/** Reads the keys of BERT, which most encoders took over. @throws Problem for sizes that do not fit together */
export function readEncoderSizes(reader: ConfigReader): EncoderSizes {
  const hiddenSize = reader.integer('hidden_size');
  const heads = reader.integer('num_attention_heads');
  checkHeads({ hidden_size: hiddenSize, num_attention_heads: heads });
  return {
    vocabSize: reader.integer('vocab_size'),
    hiddenSize,
    innerSize: reader.integer('intermediate_size'),
    layers: reader.layers('num_hidden_layers'),
    heads,
    maxPositions: reader.integer('max_position_embeddings', 512),
    activation: reader.choice('hidden_act', activations, 'gelu'),
    epsilon: reader.number('layer_norm_eps', 1e-12),
    initialDeviation: reader.number('initializer_range', 0.02),
  };
}

/** @param sizes - the width and the number of heads, by their keys */
export function checkHeads(sizes: Readonly<Record<string, number>>): void {
  const [[widthKey, width], [headsKey, heads]] = Object.entries(sizes) as [[string, number], [string, number]];
  if (width % heads === 0) return;
  throw problem('models', {
    what: `config.json: ${widthKey} does not divide into heads`,
    got: sizes,
    expected: `a multiple of ${headsKey}`,
  });
}
