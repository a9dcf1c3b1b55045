import type { Family } from '../family.ts';
import { equalLayers, plainLayer } from '../layerTypes.ts';

/** Lozhkov et al., "StarCoder 2", 2024: LayerNorm, biases, and an MLP without a gate. */
export const starcoder2: Family = {
  className: 'Starcoder2ForCausalLM',
  title: 'StarCoder2',
  maxPositions: 4096,
  kvHeads: 2,
  isTied: true,
  epsilon: ['norm_epsilon', 1e-5],
  activation: ['hidden_act', 'gelu_pytorch_tanh'],
  biases(reader) {
    const asked = reader.boolean('use_bias', true);
    return { queryKeyValue: asked, output: asked, mlp: asked };
  },
  layers: (reader, count) =>
    equalLayers(count, { ...plainLayer, window: reader.optionalInteger('sliding_window', undefined) }),
  differ(reader) {
    reader.only('mlp_type', 'default');
    reader.only('norm_type', 'layer_norm');
    return { norm: 'layer', mlp: 'ungated' };
  },
  // `activation_function` is an older name that transformers does not read.
  inert: ['residual_dropout', 'embedding_dropout', 'activation_function', 'attention_softmax_in_fp32', 'scale_attention_softmax_in_fp32', 'scale_attn_weights'], // prettier-ignore
};
