import { ropesByLayerType } from '../ropesByLayerType.ts';
import type { ConfigReader } from '../../configReader.ts';
import { askedAttentionBiases, type Family } from '../family.ts';
import { alternatingLayers } from '../layerTypes.ts';
import type { LlamaConfig } from '../llamaConfig.ts';

/** `hidden_act` is an older name that transformers does not read; `cache_implementation` is a matter of generation. */
const inert = ['hidden_act', 'cache_implementation', '_sliding_window_pattern'];

const common = {
  headSize: 256,
  isTied: true,
  activation: ['hidden_activation', 'gelu_pytorch_tanh'],
  kvHeads: 4,
  biases: askedAttentionBiases,
} as const;

/** Gemma Team, "Gemma 2", 2024: norms around each branch, caps on scores and logits, every other layer with a window. */
export const gemma2: Family = {
  ...common,
  className: 'Gemma2ForCausalLM',
  title: 'Gemma 2',
  maxPositions: 8192,
  layers: (reader, count) => alternatingLayers(reader, count, { window: 4096, pattern: 2 }),
  differ: (reader, { hiddenSize }) => ({
    ...differ(reader, hiddenSize, 30),
    scoreCap: reader.optionalNumber('attn_logit_softcapping', 50),
  }),
  inert,
};

/** Gemma Team, "Gemma 3", 2025: norms of queries and keys in place of the caps, and positions of their own with a window. */
export const gemma3Text: Family = {
  ...common,
  className: 'Gemma3ForCausalLM',
  title: 'Gemma 3, text',
  maxPositions: 131072,
  theta: 1e6,
  layers: (reader, count) =>
    alternatingLayers(reader, count, {
      window: 4096,
      pattern: 6,
      rotaryOf: slides => (slides ? 'sliding' : 'all'),
    }),
  readRopes: (reader, shape) => ropesByLayerType(reader, shape, reader.number('rope_local_base_freq', 10000)),
  differ: (reader, { hiddenSize }) => ({ ...differ(reader, hiddenSize, undefined), qkNorm: 'eachHead' }),
  inert,
};

function differ(reader: ConfigReader, hiddenSize: number, logitCap: number | undefined): Partial<LlamaConfig> {
  reader.only('use_bidirectional_attention', false);
  return {
    norm: 'rmsAroundOne',
    norms: {
      attention: { before: 'input_layernorm', after: 'post_attention_layernorm' },
      mlp: { before: 'pre_feedforward_layernorm', after: 'post_feedforward_layernorm' },
    },
    attentionScale: reader.number('query_pre_attn_scalar', 256) ** -0.5,
    factors: {
      token: Math.sqrt(hiddenSize),
      logitCap: reader.optionalNumber('final_logit_softcapping', logitCap),
    },
  };
}
