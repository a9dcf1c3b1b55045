import type { Family } from '../family.ts';
import { equalLayers, plainLayer } from '../layerTypes.ts';

/** Bellagente et al., "Stable LM 2", 2024: LayerNorm, a quarter of each head turned; the 12B has parallel blocks and norms of heads. */
export const stablelm: Family = {
  className: 'StableLmForCausalLM',
  title: 'StableLM',
  maxPositions: 4096,
  kvHeads: 32,
  rotaryShare: 0.25,
  epsilon: ['layer_norm_eps', 1e-5],
  biases: reader => ({ queryKeyValue: reader.boolean('use_qkv_bias', false), output: false, mlp: false }),
  layers: (_, count) => equalLayers(count, plainLayer),
  differ(reader) {
    const isParallel = reader.boolean('use_parallel_residual', false);
    return {
      norm: 'layer',
      isParallel,
      norms: {
        attention: { before: 'input_layernorm' },
        mlp: { before: isParallel ? 'input_layernorm' : 'post_attention_layernorm' },
      },
      qkNorm: reader.boolean('qk_layernorm', false) ? 'ownOfEachHead' : undefined,
    };
  },
  inert: ['hidden_dropout'],
};
