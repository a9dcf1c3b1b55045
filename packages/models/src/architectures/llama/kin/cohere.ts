import { askedAttentionBiases, type Family } from '../family.ts';
import { alternatingLayers } from '../layerTypes.ts';

/** Keys of Cohere's own code that are of one value in all files; transformers does not read them. */
const fixed = {
  position_embedding_type: 'rope_gptj',
  order_of_interleaved_layers: 'local_attn_first',
  rotary_pct: 1,
  use_embedding_sharing: true,
  use_gated_activation: true,
  use_parallel_block: true,
  use_parallel_embedding: false,
  use_qk_norm: false,
};

/** Command R7B and A, 2024: both branches of a block behind one LayerNorm; positions in the layers with a window alone. */
export const cohere2: Family = {
  className: 'Cohere2ForCausalLM',
  title: 'Command R7B, Command A',
  maxPositions: 8192,
  isTied: true,
  epsilon: ['layer_norm_eps', 1e-5],
  biases: askedAttentionBiases,
  layers: (reader, count) =>
    alternatingLayers(reader, count, {
      window: 4096,
      pattern: 4,
      rotaryOf: slides => (slides ? 'all' : undefined),
    }),
  differ(reader) {
    for (const [key, value] of Object.entries(fixed)) reader.only(key, value);
    return {
      norm: 'layerWithoutBias',
      norms: { attention: { before: 'input_layernorm' }, mlp: { before: 'input_layernorm' } },
      isParallel: true,
      ropeLayout: 'pairs',
      factors: { logitFactor: reader.number('logit_scale', 0.0625) },
    };
  },
  inert: ['cache_implementation', 'layer_switch', '_sliding_window_pattern'],
};
