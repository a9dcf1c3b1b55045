import { problem } from '@dropbp/basics';
import type { ConfigReader, RawConfig } from '../../architectures/configReader.ts';
import type { GgufHeader } from '../readGguf.ts';
import type { GgufArchitecture } from './ggufArchitecture.ts';
import { llamaKin, type Kin } from './llamaKin.ts';
import { yarnScaling } from './ropeScaling.ts';

/** Biases that are there where the file has them. */
const askedBiases: NonNullable<Kin['config']> = (_, { tensors }) => ({
  attention_bias: tensors.has('blk.0.attn_q.bias'),
  mlp_bias: tensors.has('blk.0.ffn_up.bias'),
});

const postNorms = {
  attn_norm: undefined,
  ffn_norm: undefined,
  post_attention_norm: 'post_attention_layernorm',
  post_ffw_norm: 'post_feedforward_layernorm',
};

const gemmaNorms = {
  ...postNorms,
  attn_norm: 'input_layernorm',
  ffn_norm: 'pre_feedforward_layernorm',
};

/** Models of Llama's kind, by `general.architecture`. As `llama` llama.cpp also keeps SmolLM and Mistral. */
export const llamaKinds: Readonly<Record<string, GgufArchitecture>> = {
  llama: llamaKin({ modelType: 'llama', otherTypes: ['mistral'], isPaired: true, config: askedBiases }),
  qwen2: llamaKin({ modelType: 'qwen2' }),
  qwen3: llamaKin({ modelType: 'qwen3', config: askedBiases }),
  smollm3: llamaKin({ modelType: 'smollm3', isPaired: true, config: askedBiases }),
  gemma2: llamaKin({
    modelType: 'gemma2',
    modules: gemmaNorms,
    addsOneToNorms: true,
    config: (reader, _, { headSize, heads, layers }) => ({
      // What llama.cpp takes for the 27B, which it knows by its layers, and for the others.
      ...gemma(layers === 46 ? reader.integer('embedding_length') / heads : headSize),
      sliding_window: reader.integer('attention.sliding_window', 4096),
      attn_logit_softcapping: reader.number('attn_logit_softcapping', 50),
      final_logit_softcapping: reader.number('final_logit_softcapping', 30),
    }),
  }),
  gemma3: llamaKin({
    modelType: 'gemma3_text',
    modules: gemmaNorms,
    addsOneToNorms: true,
    config: (reader, _, { headSize, heads, layers }) => ({
      ...gemma(layers === 62 ? reader.integer('embedding_length') / heads : headSize),
      sliding_window: reader.integer('attention.sliding_window'),
      layer_types: layerTypes(reader, layers, 6),
      rope_local_base_freq: reader.number('rope.freq_base_swa', 10000),
      final_logit_softcapping: reader.optionalNumber('final_logit_softcapping') ?? null,
    }),
  }),
  phi3: llamaKin({
    modelType: 'phi3',
    modules: { attn_qkv: 'self_attn.qkv_proj', ffn_up: 'mlp.gate_up_proj', ffn_gate: undefined },
    turnsPart: true,
    config: (reader, header) => ({
      sliding_window: reader.number('attention.sliding_window', 0) || null,
      ...longRope(reader, header),
    }),
  }),
  granite: llamaKin({
    modelType: 'granite',
    isPaired: true,
    config: (reader, header, sizes) => ({
      ...askedBiases(reader, header, sizes),
      attention_multiplier: reader.number('attention.scale', sizes.headSize ** -0.5),
      embedding_multiplier: reader.number('embedding_scale', 1),
      residual_multiplier: reader.number('residual_scale', 1),
      logits_scaling: reader.number('logit_scale', 1),
    }),
  }),
  // llama.cpp keeps OLMo 2 and 3 under one name: the second has windows.
  olmo2: llamaKin({
    modelType: 'olmo2',
    otherTypes: ['olmo3'],
    modules: postNorms,
    config(reader, header, sizes) {
      const window = reader.optionalInteger('attention.sliding_window');
      const biases = askedBiases(reader, header, sizes);
      if (window === undefined) return biases;
      const theta = reader.number('rope.freq_base', 10000);
      const yarn = yarnScaling(reader, reader.optionalNumber('rope.scaling.attn_factor'));
      return {
        ...biases,
        model_type: 'olmo3',
        sliding_window: window,
        layer_types: layerTypes(reader, sizes.layers, 4),
        rope_scaling: null,
        rope_parameters: {
          full_attention: { rope_theta: theta, ...yarn },
          sliding_attention: { rope_theta: theta },
        },
      };
    },
  }),
  mistral3: llamaKin({
    modelType: 'ministral3',
    isPaired: true,
    config(reader) {
      const theta = reader.number('rope.freq_base', 10000);
      const beta = reader.number('attention.temperature_scale', 0);
      const original = reader.integer('rope.scaling.original_context_length');
      const all = reader.number('rope.scaling.yarn_log_multiplier', 0);
      return {
        rope_scaling: null,
        rope_parameters: {
          ...{ rope_theta: theta, ...yarnScaling(reader, undefined), original_max_position_embeddings: original },
          ...(all > 0 && { mscale: 1, mscale_all_dim: all }),
          llama_4_scaling_beta: beta,
        },
      };
    },
  }),
  cohere2: llamaKin({
    modelType: 'cohere2',
    modules: { ffn_norm: undefined },
    layerNormEpsilon: 'layer_norm_eps',
    config: (reader, { tensors }, { layers }) => ({
      attention_bias: tensors.has('blk.0.attn_q.bias'),
      logit_scale: reader.number('logit_scale', NaN),
      sliding_window: reader.integer('attention.sliding_window'),
      layer_types: layerTypes(reader, layers, 4),
    }),
  }),
  glm4: llamaKin({
    modelType: 'glm4',
    modules: {
      ffn_up: 'mlp.gate_up_proj',
      ffn_gate: undefined,
      post_attention_norm: 'post_self_attn_layernorm',
      post_ffw_norm: 'post_mlp_layernorm',
    },
    turnsPart: true,
    config: (_, { tensors }) => ({ attention_bias: tensors.has('blk.0.attn_q.bias') }),
  }),
  exaone4: llamaKin({
    modelType: 'exaone4',
    modules: postNorms,
    config(reader, _, { layers }) {
      const window = reader.optionalInteger('attention.sliding_window');
      return {
        sliding_window: window ?? null,
        ...(window !== undefined && { layer_types: layerTypes(reader, layers, 4) }),
      };
    },
  }),
  starcoder2: llamaKin({
    modelType: 'starcoder2',
    modules: { ffn_up: 'mlp.c_fc', ffn_down: 'mlp.c_proj', ffn_gate: undefined },
    layerNormEpsilon: 'norm_epsilon',
    config: (_, { tensors }) => ({ hidden_act: 'gelu_pytorch_tanh', use_bias: tensors.has('blk.0.attn_q.bias') }),
  }),
  stablelm: llamaKin({
    modelType: 'stablelm',
    layerNormEpsilon: 'layer_norm_eps',
    turnsPart: true,
    config: (reader, { tensors }) => ({
      use_qkv_bias: tensors.has('blk.0.attn_q.bias'),
      use_parallel_residual: reader.boolean('use_parallel_residual', false) && !tensors.has('blk.0.ffn_norm.weight'),
    }),
  }),
};

function gemma(queryScalar: number): RawConfig {
  return { hidden_activation: 'gelu_pytorch_tanh', query_pre_attn_scalar: queryScalar };
}

/** Which layers have a window: as the file lists them, or all but the last of each period. */
function layerTypes(reader: ConfigReader, layers: number, period: number): string[] {
  const pattern = reader.raw('attention.sliding_window_pattern') ?? period;
  const slides =
    typeof pattern === 'number' ? Array.from({ length: layers }, (_, i) => (i + 1) % pattern !== 0) : pattern;
  if (Array.isArray(slides) && slides.length === layers && slides.every(slide => typeof slide === 'boolean')) {
    return slides.map(slide => (slide ? 'sliding_attention' : 'full_attention'));
  }
  throw problem('models', {
    what: 'attention.sliding_window_pattern is not usable',
    got: pattern,
    expected: `a period, or whether each of the ${layers} layers has a window`,
  });
}

/** Divisors of the frequencies of short and of long texts, which llama.cpp keeps as tensors. */
function longRope(reader: ConfigReader, { longRopeFactors }: GgufHeader): RawConfig {
  const original = reader.optionalInteger('rope.scaling.original_context_length');
  const attention = reader.optionalNumber('rope.scaling.attn_factor');
  if (longRopeFactors === undefined) return {};
  return {
    original_max_position_embeddings: original,
    rope_scaling: {
      rope_type: 'longrope',
      short_factor: [...longRopeFactors.short],
      long_factor: [...longRopeFactors.long],
      ...(attention !== undefined && { attention_factor: attention }),
    },
  };
}
