import { askedAttentionBiases, type Family } from '../family.ts';
import { alternatingLayers, equalLayers, plainLayer } from '../layerTypes.ts';
import type { LlamaConfig } from '../llamaConfig.ts';
import { ropesByLayerType } from '../ropesByLayerType.ts';

/** Norms of what the branches add, and of all queries and keys. */
const norms: Partial<LlamaConfig> = {
  norms: { attention: { after: 'post_attention_layernorm' }, mlp: { after: 'post_feedforward_layernorm' } },
  qkNorm: 'allHeads',
};

/** OLMo et al., "2 OLMo 2 Furious", 2024. */
export const olmo2: Family = {
  className: 'Olmo2ForCausalLM',
  title: 'OLMo 2',
  maxPositions: 2048,
  epsilon: ['rms_norm_eps', 1e-5],
  biases: askedAttentionBiases,
  layers: (_, count) => equalLayers(count, plainLayer),
  differ: () => norms,
};

/** OLMo 3, 2025: three of four layers with a window, and a scaling of positions in the others alone. */
export const olmo3: Family = {
  ...olmo2,
  className: 'Olmo3ForCausalLM',
  title: 'OLMo 3',
  theta: 500000,
  layers: (reader, count) =>
    alternatingLayers(reader, count, { window: 4096, pattern: 4, rotaryOf: slides => (slides ? 'sliding' : 'all') }),
  // transformers 5.24 gives a window's layers this number even where rope_theta is another one.
  readRopes: (reader, shape) => ropesByLayerType(reader, shape, 500000),
};
