import {
  findTokenHead,
  isAllLinear,
  shortestTargets,
  writePeftConfig,
  type Model,
  type PeftConfigRules,
  type PeftFiles,
  type Provenance,
} from '@dropbp/core';
import { embeddingNames, tiedNames, type LoraPlan } from '../plan/loraPlan.ts';
import type { LoraSettings } from '../plan/settings.ts';

/** What a key of PEFT's configuration does, where it is set, that this package cannot. */
const unsupported: Readonly<Record<string, string>> = {
  alora_invocation_tokens: 'the adapter acts on some tokens only',
  arrow_config: 'several adapters are mixed by token',
  enable_lora: 'the file has the layout of PEFT before 0.3',
  kasa_config: 'the base weights are changed and a third matrix is trained',
  layer_replication: 'layers of the base are repeated',
  megatron_config: 'layers are spread over devices',
  monteclora_config: 'training draws samples of the adapter',
  target_parameters: 'raw parameters are adapted, such as experts',
  use_bdlora: 'A or B is block-diagonal',
  use_qalora: 'inputs are pooled for a quantized base',
  velora_config: 'training stores activations in another way',
};

/** PEFT's `LoraConfig`. Source: PEFT 0.21.2, `tuners/lora/config.py`. */
export const configRules: PeftConfigRules = {
  package: 'peft-lora',
  peftType: 'LORA',
  defaults: {
    alora_invocation_tokens: null,
    alpha_pattern: {},
    arrow_config: null,
    bias: 'none',
    corda_config: null,
    ensure_weight_tying: false,
    eva_config: null,
    exclude_modules: null,
    fan_in_fan_out: false,
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
    qalora_group_size: 16,
    r: 8,
    rank_pattern: {},
    target_modules: null,
    target_parameters: null,
    trainable_token_indices: null,
    use_bdlora: null,
    use_dora: false,
    use_qalora: false,
    use_rslora: false,
    velora_config: null,
  },
  known: [
    ...['r', 'lora_alpha', 'lora_dropout', 'use_rslora', 'use_dora', 'rank_pattern', 'alpha_pattern', 'bias'],
    ...['lora_bias', 'target_modules', 'exclude_modules', 'layers_to_transform', 'layers_pattern', 'modules_to_save'],
    ...['trainable_token_indices', 'ensure_weight_tying', 'init_lora_weights'],
    'fan_in_fan_out', // follows from the layer, as in PEFT
    ...['eva_config', 'loftq_config', 'corda_config', 'lora_ga_config'], // of an initialisation, which init_lora_weights names
    ...['megatron_core', 'qalora_group_size'], // act with other keys alone
    'merge_weights', // how a program runs, in files of old versions
  ],
  unsupported,
  subConfigs: ['arrow_config', 'corda_config', 'eva_config', 'kasa_config', 'lora_ga_config', 'use_bdlora', 'velora_config'], // prettier-ignore
};

const camelCase = (key: string): string => key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

/** By name, what is an option in PEFT and none of `lora()`, and why. */
export const unsupportedOptions: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(unsupported).map(([key, reason]) => [camelCase(key), reason])),
  autoMapping: 'PEFT writes it for models without a task',
  cordaConfig: 'it belongs to an initialisation from a data set',
  evaConfig: 'it belongs to an initialisation from a data set',
  fanInFanOut: 'it follows from each layer',
  inferenceMode: 'every adapter can be trained',
  loftqConfig: 'it belongs to an initialisation for a quantized base',
  loraGaConfig: 'it belongs to an initialisation from a data set',
  megatronCore: 'layers are spread over devices',
  peftType: 'it is written when the adapter is saved',
  peftVersion: 'it is written when the adapter is saved',
  qaloraGroupSize: 'inputs are pooled for a quantized base',
  runtimeConfig: 'it says how PEFT runs',
};

/**
 * An adapter as PEFT's configuration.
 *
 * @param settings - those of the plan, or what they became when the adapter was converted
 */
export function loraConfig(
  model: Model,
  { layers }: LoraPlan,
  settings: LoraSettings,
  initialization: unknown,
  provenance?: Provenance,
): PeftFiles['config'] {
  const { rules, rank, alpha, dropout, rankPattern, alphaPattern, trainableTokenIndices: tokens } = settings;
  const { targetModules } = rules;
  const isAll = isAllLinear(targetModules);
  const modules = isAll
    ? shortestTargets(layers.map(({ module }) => module), model.modules.keys()) // prettier-ignore
    : targetModules;
  const linear = layers.filter(({ kind }) => kind !== 'embedding');
  return writePeftConfig(
    model,
    configRules,
    {
      r: rank,
      lora_alpha: alpha,
      lora_dropout: dropout,
      use_rslora: settings.useRslora,
      use_dora: settings.useDora,
      lora_bias: settings.loraBias,
      bias: settings.bias,
      rank_pattern: rankPattern,
      alpha_pattern: alphaPattern,
      target_modules: sortNames(modules),
      exclude_modules: isAll ? null : sortNames(rules.excludeModules),
      layers_to_transform: rules.layersToTransform ?? null,
      layers_pattern: rules.layersPattern ?? null,
      modules_to_save: savedModules(model, settings),
      trainable_token_indices: tokens ?? null,
      ensure_weight_tying: settings.ensureWeightTying,
      fan_in_fan_out: linear.length > 0 && linear.every(({ kind }) => kind === 'conv1d'),
      init_lora_weights: initialization,
    },
    provenance,
  );
}

/** PEFT stores a tied pair that is trained together by the name of the embedding. */
function savedModules(model: Model, { rules, ensureWeightTying }: LoraSettings): readonly string[] | null {
  const { modulesToSave } = rules;
  if (modulesToSave === undefined) return null;
  const { embedding } = model;
  const head = findTokenHead(model);
  const isHead = (entry: string): boolean => head?.path.endsWith(entry) === true;
  const isPair = (entry: string): boolean => embedding.endsWith(entry) || isHead(entry);
  if (!ensureWeightTying || tiedNames(model) === undefined || !modulesToSave.some(isPair)) return modulesToSave;
  // A table of another name, GPT-2's, PEFT ties only where the head is named.
  const isKnown = embeddingNames.some(name => embedding.endsWith(name));
  const kept = modulesToSave.filter(entry => !isKnown || !isHead(entry));
  return kept.includes(embedding) ? kept : [...kept, embedding];
}

function sortNames(names: string | readonly string[] | undefined): string | readonly string[] | null {
  return Array.isArray(names) ? [...(names as readonly string[])].sort() : ((names as string | undefined) ?? null);
}
