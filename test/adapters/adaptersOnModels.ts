import { createModel } from '@dropbp/models';
import { fullFineTune } from '@dropbp/peft-full';
import { ia3, peftFormat as ia3Format } from '@dropbp/peft-ia3';
import { lora, peftFormat as loraFormat } from '@dropbp/peft-lora';
import {
  llamaAdapter,
  llamaAdapterFormat,
  prefixTuning,
  prefixTuningFormat,
  promptTuning,
  promptTuningFormat,
  pTuning,
  pTuningFormat,
} from '@dropbp/peft-prefix';
import { testAdapter, type AdapterSuite } from '@dropbp/testing';
import { ssf, ssfFormat } from '../../examples/ownAdapter/ssf.ts';

// Every adapter on every architecture, through the same tests. A new adapter is a line here, a new architecture too.

type Suite = Omit<AdapterSuite, 'model' | 'rejects'>;

/** What is put in front starts to change the output at once, and cannot be merged. */
const inFront = { startsAsBase: false, isMergeable: false } as const;
/** Files hold what a network gives, and not the network. */
const byNetwork = { ...inFront, keepsParameters: false } as const;

const allLinear = 'all-linear';
const adapters: Readonly<Record<string, Suite>> = {
  LoRA: { create: () => lora({ rank: 2, alpha: 3, targetModules: allLinear }), format: loraFormat },
  'LoRA with dropout and rsLoRA': {
    create: () => lora({ rank: 2, dropout: 0.2, useRslora: true, targetModules: allLinear }),
    format: loraFormat,
  },
  DoRA: {
    create: () => lora({ rank: 2, targetModules: allLinear, useDora: true }),
    format: loraFormat,
    isDetached: true,
  },
  'IA³': {
    create: () =>
      ia3({
        targetModules: allLinear,
        feedforwardModules: '.*(down_proj|mlp\\.c_proj|dense_4h_to_h|\\d\\.output\\.dense|1\\.self_attn\\.v_proj)',
      }),
    format: ia3Format,
  },
  'prompt tuning': { ...inFront, create: () => promptTuning({ numVirtualTokens: 4 }), format: promptTuningFormat },
  'P-tuning': {
    ...byNetwork,
    create: () => pTuning({ numVirtualTokens: 2, encoderHiddenSize: 6 }),
    format: pTuningFormat,
  },
  'prefix tuning': { ...inFront, create: () => prefixTuning({ numVirtualTokens: 2 }), format: prefixTuningFormat },
  'prefix tuning with a network': {
    ...byNetwork,
    create: () => prefixTuning({ numVirtualTokens: 2, prefixProjection: true, encoderHiddenSize: 4 }),
    format: prefixTuningFormat,
  },
  'LLaMA-Adapter': {
    create: () => llamaAdapter({ adapterLen: 2, adapterLayers: 2 }),
    isMergeable: false,
    format: llamaAdapterFormat,
  },
  'SSF, the adapter of the guide': { create: () => ssf(allLinear), format: ssfFormat, isMergeable: false },
  'full fine-tuning': { create: () => fullFineTune() },
  'the norms': { create: () => fullFineTune({ parts: ['norms'] }) },
};

const ungrouped = {
  vocab_size: 20,
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  max_position_embeddings: 16,
  initializer_range: 0.4,
};
const llama = { ...ungrouped, num_key_value_heads: 2 };
const window = { sliding_window: 5, layer_types: ['sliding_attention', 'full_attention'] };
/** Small configurations by `model_type`. */
export const architectures: Readonly<Record<string, object>> = {
  llama,
  mistral: { ...llama, sliding_window: 5 },
  qwen2: llama,
  qwen3: { ...llama, head_dim: 4, tie_word_embeddings: true },
  smollm3: { ...llama, no_rope_layers: [1, 0] },
  gpt_neox: { ...ungrouped, num_attention_heads: 2, rotary_pct: 0.5, initializer_range: 0.6 },
  gpt2: { vocab_size: 20, n_embd: 8, n_layer: 2, n_head: 2, n_positions: 16, initializer_range: 0.4 },
  gemma2: { ...llama, ...window, head_dim: 4, query_pre_attn_scalar: 4, tie_word_embeddings: false },
  gemma3_text: { ...llama, ...window, head_dim: 4, query_pre_attn_scalar: 4, tie_word_embeddings: false },
  phi3: llama,
  granite: { ...llama, embedding_multiplier: 2, residual_multiplier: 0.7, logits_scaling: 2 },
  olmo2: llama,
  olmo3: { ...llama, ...window },
  ministral3: {
    ...llama,
    head_dim: 4,
    rope_parameters: {
      ...{ rope_type: 'yarn', rope_theta: 100, factor: 2, original_max_position_embeddings: 4 },
      llama_4_scaling_beta: 0.2,
    },
  },
  cohere2: { ...llama, ...window, logit_scale: 1, tie_word_embeddings: false },
  glm4: { ...llama, head_dim: 4, initializer_range: 0.6 },
  exaone4: { ...llama, ...window },
  starcoder2: { ...llama, sliding_window: 5, tie_word_embeddings: false },
  stablelm: {
    ...llama,
    ...{ num_attention_heads: 2, initializer_range: 0.6, rope_parameters: { partial_rotary_factor: 0.5 } },
    ...{ use_parallel_residual: true, qk_layernorm: true },
  },
  mixtral: { ...llama, num_local_experts: 3, num_experts_per_tok: 2 },
  qwen3_moe: {
    ...llama,
    ...{ head_dim: 4, num_experts: 3, num_experts_per_tok: 2, moe_intermediate_size: 6, mlp_only_layers: [0] },
  },
  granitemoe: { ...llama, num_local_experts: 3, num_experts_per_tok: 2, residual_multiplier: 0.7, logits_scaling: 2 },
  bert: { ...ungrouped, add_pooling_layer: false },
};

/** Architectures that `npm test` runs every adapter on. All others take too long: `node scripts/ci.mjs adapters`. */
export const quickArchitectures: readonly string[] = ['llama', 'gpt2', 'gemma2'];

/** Runs every adapter on an architecture. */
export function testAdapters(type: string): void {
  for (const [name, suite] of Object.entries(adapters)) {
    testAdapter(`${name} on ${type}`, {
      ...suite,
      model: () => createModel({ model_type: type, ...architectures[type] }, { seed: 1 }),
      rejects: {},
    });
  }
}
