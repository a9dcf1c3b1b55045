import { problem } from '@dropbp/basics';
import { defineModel } from '../../architectures/architectures.ts';
import type { RawConfig } from '../../architectures/configReader.ts';
import { activations } from '../../layers/activations.ts';
import type { ModelMetadata } from './describeGguf.ts';

/**
 * The metadata of a GPT-2.
 *
 * Source: llama.cpp's conversion of GPT2LMHeadModel, and src/models for what it computes.
 *
 * @throws Problem for a configuration that llama.cpp computes in another way
 */
export function describeGpt2(config: RawConfig): ModelMetadata {
  const { vocabSize, hiddenSize, maxPositions, branches, modules } = defineModel(config);
  const only = (key: string, fallback: unknown, isRight: (value: unknown) => boolean, expected: string): void => {
    const got = config[key] ?? fallback;
    if (!isRight(got)) throw problem('models', { what: `llama.cpp's gpt2 computes otherwise (${key})`, got, expected });
  };
  only('activation_function', 'gelu_new', name => activations[String(name)] === 'geluTanh', 'gelu_new');
  only('scale_attn_weights', true, value => value === true, 'true');
  only('scale_attn_by_inverse_layer_idx', false, value => value === false, 'false');
  const { heads } = branches.find(({ kind }) => kind === 'attention')!.heads!;
  return {
    keys: {
      vocab_size: { u32: vocabSize },
      context_length: { u32: maxPositions },
      embedding_length: { u32: hiddenSize },
      block_count: { u32: branches.length / 2 },
      feed_forward_length: { u32: modules.get('transformer.h.0.mlp.c_fc')!.outFeatures },
      'attention.head_count': { u32: heads },
      'attention.layer_norm_epsilon': { f32: Number(config.layer_norm_epsilon ?? 1e-5) },
    },
    heads,
    kvHeads: heads,
  };
}
