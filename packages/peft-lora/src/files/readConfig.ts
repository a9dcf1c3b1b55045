import { isObject, problem } from '@dropbp/basics';
import { peftConfigReader, peftValues, type PeftFiles, type Provenance, type TargetRules } from '@dropbp/core';
import { configRules } from './loraConfig.ts';
import { isTokens } from '../plan/loraOptions.ts';
import type { LoraSettings, TokenIndices, TrainedBiases } from '../plan/settings.ts';

/** What an `adapter_config.json` says. */
export interface ReadConfig {
  readonly settings: Omit<LoraSettings, 'rules'>;
  /** `targetModules` is missing where the file leaves them to PEFT's choice for the architecture. */
  readonly rules: Omit<TargetRules, 'targetModules'> & {
    readonly targetModules: string | readonly string[] | undefined;
  };
  /** As PEFT has it. Others than `'pissa'` and `'olora'` need what a saved adapter no longer has. */
  readonly initialization: unknown;
  readonly provenance: Provenance;
}

/**
 * Reads PEFT's configuration. Missing keys take PEFT's defaults.
 *
 * @throws Problem for a value that would change what the adapter computes and is not supported, and for an unknown key
 *   that is set
 */
export function readConfig(config: PeftFiles['config']): ReadConfig {
  const dropoutOrNull = config.lora_dropout === null ? { lora_dropout: 0 } : {}; // PEFT before 0.4
  const reader = peftConfigReader({ ...config, ...dropoutOrNull }, configRules);
  const { flag, count, names } = peftValues;
  const flagOf = (key: string): boolean => reader.read(key, flag, 'true or false');
  const initialization = reader.read('init_lora_weights', isAny, 'anything');
  checkInitialization(initialization);
  reader.optional('target_parameters', isNoText, 'null or a list of names');
  reader.optional('eva_config', isEva, 'null, or an object with a rho ≥ 1 and a tau in [0, 1]');
  return {
    settings: {
      rank: reader.read('r', count, 'an integer ≥ 1'),
      alpha: reader.read('lora_alpha', isPositive, 'a number > 0'),
      dropout: reader.read('lora_dropout', peftValues.shareBelowOne, 'a number in [0, 1)'),
      useRslora: flagOf('use_rslora'),
      useDora: flagOf('use_dora'),
      loraBias: flagOf('lora_bias'),
      ensureWeightTying: flagOf('ensure_weight_tying'),
      bias: reader.read('bias', isBias, "'none', 'all' or 'lora_only'"),
      rankPattern: reader.read('rank_pattern', isPatternOf(count), 'integers ≥ 1 by module name'),
      alphaPattern: reader.read('alpha_pattern', isPatternOf(isPositive), 'numbers > 0 by module name'),
      trainableTokenIndices: reader.optional('trainable_token_indices', isTokenIndices, 'token numbers, each once'),
    },
    rules: {
      targetModules: reader.optional('target_modules', names, 'module names, or a regular expression'),
      excludeModules: reader.optional('exclude_modules', names, 'module names, or a regular expression'),
      layersToTransform: reader.optional('layers_to_transform', isLayers, 'numbers of layers'),
      layersPattern: reader.optional('layers_pattern', names, 'names'),
      modulesToSave: reader.optional('modules_to_save', isSaved, 'module names'),
    },
    initialization,
    provenance: reader.provenance,
  };
}

/** Whether PEFT takes A and B out of the base anew when it loads such an adapter; we do so too. */
export function isRepeatable(initialization: unknown): initialization is 'pissa' | 'olora' {
  return initialization === 'pissa' || initialization === 'olora';
}

function checkInitialization(value: unknown): void {
  if (typeof value === 'boolean' || ['gaussian', 'eva', 'orthogonal'].includes(String(value)) || isRepeatable(value)) {
    return;
  }
  if (!/^(pissa|corda|loftq|lora_ga)/.test(String(value))) {
    throw problem('peft-lora', {
      what: 'init_lora_weights is not supported: how such an adapter trains is not known here',
      got: value,
    });
  }
  throw problem('peft-lora', {
    what: `the adapter was made with init_lora_weights ${JSON.stringify(value)}, which changed the base weights in a way that cannot be repeated`,
    fix: 'convert it with PEFT: save_pretrained(folder, path_initial_model_for_weight_conversion=…)',
  });
}

const isAny = (value: unknown): value is unknown => value !== undefined;
const isPositive = (value: unknown): value is number => Number.isFinite(value) && (value as number) > 0;
const isBias = (value: unknown): value is TrainedBiases => ['none', 'all', 'lora_only'].includes(value as string);
const isLayers = (value: unknown): value is number | number[] =>
  Number.isInteger(value) || (Array.isArray(value) && value.every(Number.isInteger));
const isNoText = (value: unknown): value is unknown => typeof value !== 'string';
const isEva = (value: unknown): value is object => {
  const { rho = 2, tau = 0.99 } = value as { readonly rho?: unknown; readonly tau?: unknown };
  return typeof rho === 'number' && rho >= 1 && typeof tau === 'number' && tau >= 0 && tau <= 1;
};
const isSaved = (value: unknown): value is string[] => Array.isArray(value) && peftValues.names(value);
const isTokenIndices = (value: unknown): value is TokenIndices => isTokens(value);
const isPatternOf =
  (accepts: (value: unknown) => boolean) =>
  (value: unknown): value is Record<string, number> =>
    isObject(value) && Object.values(value).every(accepts);
