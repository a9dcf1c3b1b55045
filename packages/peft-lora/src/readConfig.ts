import { problem } from '@dropbp/basics';
import { loraConfigDefaults, type Provenance } from './loraConfig.ts';
import type { LoraSettings } from './settings.ts';

/** What an `adapter_config.json` says. */
export interface ReadConfig {
  readonly settings: LoraSettings;
  /** How the weights were first drawn; others than these need what a saved adapter no longer has. */
  readonly initialization: true | 'gaussian' | false;
  readonly provenance: Provenance;
}

type Config = Readonly<Record<string, unknown>>;

/**
 * Reads PEFT's configuration. Missing keys take PEFT's defaults.
 *
 * @throws Problem for a value that would change what the adapter computes and is not supported, and for an unknown key
 *   that is set
 */
export function readConfig(config: Config): ReadConfig {
  const given: Config = { ...loraConfigDefaults, ...config };
  for (const [key, value] of Object.entries(given)) checkKey(key, value, given);
  const { init_lora_weights: initialization } = given;
  const { auto_mapping, base_model_name_or_path, revision, task_type } = given;
  return {
    settings: {
      rank: read(given, 'r', isRank, 'an integer ≥ 1'),
      alpha: read(given, 'lora_alpha', isPositive, 'a number > 0'),
      dropout: read({ ...given, lora_dropout: given.lora_dropout ?? 0 }, 'lora_dropout', isShare, 'a number in [0, 1)'),
      useRslora: read(given, 'use_rslora', isBoolean, 'true or false'),
      rankPattern: read(given, 'rank_pattern', isPatternOf(isRank), 'integers ≥ 1 by module name'),
      alphaPattern: read(given, 'alpha_pattern', isPatternOf(isPositive), 'numbers > 0 by module name'),
      rules: {
        targetModules: read(given, 'target_modules', isNames, 'module names, or a regular expression'),
        excludeModules: optional(given, 'exclude_modules', isNames, 'module names, or a regular expression'),
        layersToTransform: optional(given, 'layers_to_transform', isLayers, 'numbers of layers'),
        layersPattern: optional(given, 'layers_pattern', isNames, 'names'),
      },
    },
    initialization: initialization === 'gaussian' || initialization === false ? initialization : true,
    provenance: { auto_mapping, base_model_name_or_path, revision, task_type },
  };
}

/** Keys that are read, and those that do not change what a loaded adapter computes. */
const harmless: readonly string[] = [
  ...['r', 'lora_alpha', 'lora_dropout', 'use_rslora', 'rank_pattern', 'alpha_pattern'],
  ...['target_modules', 'exclude_modules', 'layers_to_transform', 'layers_pattern'],
  ...[
    'auto_mapping',
    'base_model_name_or_path',
    'inference_mode',
    'peft_type',
    'peft_version',
    'revision',
    'task_type',
  ],
  'fan_in_fan_out', // follows from the layer, as in PEFT
  ...['eva_config', 'loftq_config', 'corda_config', 'lora_ga_config'], // of an initialisation, which init_lora_weights names
  ...['megatron_core', 'qalora_group_size'], // act with other keys alone
  ...['runtime_config', 'merge_weights'], // how a program runs, in files of old versions
];

/** What a key does, where it is set, that this package cannot. */
const unsupported: Readonly<Record<string, string>> = {
  alora_invocation_tokens: 'the adapter acts on some tokens only',
  arrow_config: 'several adapters are mixed by token',
  enable_lora: 'the file has the layout of PEFT before 0.3',
  ensure_weight_tying: 'embedding and output layer share one adapter',
  kasa_config: 'the base weights are changed and a third matrix is trained',
  layer_replication: 'layers of the base are repeated',
  lora_bias: 'B has a bias',
  megatron_config: 'layers are spread over devices',
  modules_to_save: 'whole modules are in the file',
  monteclora_config: 'training draws samples of the adapter',
  target_parameters: 'raw parameters are adapted, such as experts',
  trainable_token_indices: 'rows of the embedding are in the file',
  use_bdlora: 'A or B is block-diagonal',
  use_dora: 'each output has a magnitude of its own',
  use_qalora: 'inputs are pooled for a quantized base',
  velora_config: 'training stores activations in another way',
};

function checkKey(key: string, value: unknown, config: Config): void {
  if (harmless.includes(key) || isUnset(value)) return;
  if (key === 'bias') {
    if (value !== 'none') throw refused(key, value, 'biases of the base are replaced');
  } else if (key === 'init_lora_weights') checkInitialization(value);
  else if (Object.hasOwn(unsupported, key)) throw refused(key, value, unsupported[key]!);
  else {
    throw problem('peft-lora', {
      what: `the configuration has a key that is not known, '${key}'`,
      got: { [key]: value, peft_version: config.peft_version },
      expected: 'the keys of PEFT 0.21, or a value that is null, false or empty',
      fix: `if it does not change what the adapter computes, take '${key}' out of adapter_config.json`,
    });
  }
}

function isUnset(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0;
  return value === undefined || value === null || value === false || value === '' || value === 0;
}

function checkInitialization(value: unknown): void {
  if (value === true || ['gaussian', 'eva', 'orthogonal'].includes(String(value))) return;
  const changesBase = /^(pissa|olora|corda|loftq|lora_ga)/.test(String(value));
  if (!changesBase) throw refused('init_lora_weights', value, 'how such an adapter trains is not known here');
  throw problem('peft-lora', {
    what: `the adapter was made with init_lora_weights ${JSON.stringify(value)}, which changed the base weights too`,
    fix: 'convert it with PEFT: save_pretrained(folder, path_initial_model_for_weight_conversion=…)',
  });
}

function refused(key: string, value: unknown, effect: string): Error {
  return problem('peft-lora', { what: `${key} is not supported: ${effect}`, got: value });
}

function read<T>(config: Config, key: string, accepts: (value: unknown) => value is T, expected: string): T {
  const value = config[key];
  if (accepts(value)) return value;
  throw problem('peft-lora', { what: `${key} in adapter_config.json is not usable`, got: value, expected });
}

function optional<T>(
  config: Config,
  key: string,
  accepts: (value: unknown) => value is T,
  expected: string,
): T | undefined {
  return config[key] === null ? undefined : read(config, key, accepts, expected);
}

const isRank = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 1;
const isPositive = (value: unknown): value is number => Number.isFinite(value) && (value as number) > 0;
const isShare = (value: unknown): value is number =>
  Number.isFinite(value) && (value as number) >= 0 && (value as number) < 1;
const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean';
const isNames = (value: unknown): value is string | string[] =>
  typeof value === 'string' || (Array.isArray(value) && value.every(entry => typeof entry === 'string'));
const isLayers = (value: unknown): value is number | number[] =>
  Number.isInteger(value) || (Array.isArray(value) && value.every(Number.isInteger));
const isPatternOf =
  (accepts: (value: unknown) => boolean) =>
  (value: unknown): value is Record<string, number> =>
    typeof value === 'object' && value !== null && Object.values(value).every(accepts);
