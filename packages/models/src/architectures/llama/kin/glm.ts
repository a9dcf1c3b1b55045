import type { Family } from '../family.ts';
import { equalLayers, plainLayer } from '../layerTypes.ts';

/** GLM-4-0414, 2025: norms around each branch, and half of each head turned, in pairs of neighbours. */
export const glm4: Family = {
  className: 'Glm4ForCausalLM',
  title: 'GLM-4-0414',
  maxPositions: 131072,
  kvHeads: 2,
  headSize: 128,
  rotaryShare: 0.5,
  epsilon: ['rms_norm_eps', 1.5625e-7],
  biases: reader => ({ queryKeyValue: reader.boolean('attention_bias', true), output: false, mlp: false }),
  layers: (_, count) => equalLayers(count, plainLayer),
  differ: () => ({
    norms: {
      attention: { before: 'input_layernorm', after: 'post_self_attn_layernorm' },
      mlp: { before: 'post_attention_layernorm', after: 'post_mlp_layernorm' },
    },
    ropeLayout: 'pairs',
    mlp: 'fusedGate',
  }),
};
