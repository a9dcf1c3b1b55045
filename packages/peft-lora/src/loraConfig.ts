import { isAllLinear, shortestTargets, type Model } from '@dropbp/core';
import type { LoraLayer } from './loraLayers.ts';
import type { LoraSettings } from './settings.ts';

/** Every key of PEFT's `LoraConfig` with its default. Source: PEFT 0.21.2, `tuners/lora/config.py`. */
export const loraConfigDefaults = {
  alora_invocation_tokens: null,
  alpha_pattern: {},
  arrow_config: null,
  auto_mapping: null,
  base_model_name_or_path: null,
  bias: 'none',
  corda_config: null,
  ensure_weight_tying: false,
  eva_config: null,
  exclude_modules: null,
  fan_in_fan_out: false,
  inference_mode: false,
  init_lora_weights: true,
  kasa_config: null,
  layer_replication: null,
  layers_pattern: null,
  layers_to_transform: null,
  loftq_config: {},
  lora_alpha: 8,
  lora_bias: false,
  lora_dropout: 0,
  lora_ga_config: null,
  megatron_config: null,
  megatron_core: 'megatron.core',
  modules_to_save: null,
  monteclora_config: null,
  peft_type: 'LORA',
  /** The release whose configuration is written. */
  peft_version: '0.21.2',
  qalora_group_size: 16,
  r: 8,
  rank_pattern: {},
  revision: null,
  target_modules: null,
  target_parameters: null,
  task_type: null,
  trainable_token_indices: null,
  use_bdlora: null,
  use_dora: false,
  use_qalora: false,
  use_rslora: false,
  velora_config: null,
} as const;

/** The keys of a loaded configuration that say where it comes from, and are kept when it is saved again. */
export interface Provenance {
  readonly auto_mapping?: unknown;
  readonly base_model_name_or_path?: unknown;
  readonly revision?: unknown;
  readonly task_type?: unknown;
}

/** The settings as PEFT's configuration. */
export function loraConfig(
  model: Model,
  layers: readonly LoraLayer[],
  settings: LoraSettings,
  initialization: true | 'gaussian' | false,
  provenance: Provenance = {},
): Readonly<Record<string, unknown>> {
  const { rules, rank, alpha, dropout, useRslora, rankPattern, alphaPattern } = settings;
  const { targetModules } = rules;
  const isAll = isAllLinear(targetModules);
  const modules = isAll
    ? shortestTargets(layers.map(layer => layer.module), model.modules.keys()) // prettier-ignore
    : targetModules;
  return {
    ...loraConfigDefaults,
    task_type: 'CAUSAL_LM',
    ...provenance,
    base_model_name_or_path: model.source === '' ? (provenance.base_model_name_or_path ?? null) : model.source,
    inference_mode: true,
    r: rank,
    lora_alpha: alpha,
    lora_dropout: dropout,
    use_rslora: useRslora,
    rank_pattern: rankPattern,
    alpha_pattern: alphaPattern,
    target_modules: sorted(modules),
    exclude_modules: isAll ? null : sorted(rules.excludeModules),
    layers_to_transform: rules.layersToTransform ?? null,
    layers_pattern: rules.layersPattern ?? null,
    fan_in_fan_out: layers.every(layer => layer.kind === 'conv1d'),
    init_lora_weights: initialization,
  };
}

function sorted(names: string | readonly string[] | undefined): string | readonly string[] | null {
  return Array.isArray(names) ? [...(names as readonly string[])].sort() : ((names as string | undefined) ?? null);
}
