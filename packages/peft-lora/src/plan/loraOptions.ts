import { checkNumber, checkOptions, checkValue, problem, ranges, type NumberRange } from '@dropbp/basics';
import type { Pattern, TargetRules } from '@dropbp/core';
import { unsupportedOptions } from '../files/loraConfig.ts';
import type { Initialization, LoraSettings, TokenIndices, TrainedBiases } from './settings.ts';

/** What `lora()` takes. Names are those of PEFT's `LoraConfig` in camelCase, with a word of their own where PEFT has a letter. */
export interface LoraOptions extends LoraTargets, LoraUpdate, LoraExtras, LoraOrigin, PeftNames {
  /**
   * How A and B start: see {@link Initialization}. `'pissa'` and `'olora'` start from the model's weights, so that the adapter
   * must be prepared: `await composeAsync(model, { adapter: lora(…) })`. @defaultValue 'default'
   */
  readonly initialization?: Initialization;
  /** Seed of the first values, an integer. @defaultValue 0 */
  readonly seed?: number;
}

/** The update `ΔW = scaling · B · A` of each layer. */
export interface LoraUpdate {
  /** Rank r of `ΔW = scaling · B · A`, an integer ≥ 1. @defaultValue 8 */
  readonly rank?: number;
  /** Numerator of `scaling = alpha / rank`. @defaultValue `rank`, so that scaling is 1 */
  readonly alpha?: number;
  /** Probability in [0, 1) that an entry of an adapter's input is dropped in training. @defaultValue 0 */
  readonly dropout?: number;
  /** `scaling = alpha / √rank` (Kalajdzievski, "rsLoRA", 2023). @defaultValue false */
  readonly useRslora?: boolean;
  /** Trains the length of each output's weights apart from their direction (Liu et al., "DoRA", 2024). @defaultValue false */
  readonly useDora?: boolean;
  /** Other ranks for some layers, by the end of their names or a regular expression for it. @defaultValue none */
  readonly rankPattern?: Pattern;
  /** Other alphas for some layers. A layer whose rank differs keeps `alpha`. @defaultValue none */
  readonly alphaPattern?: Pattern;
  /** Gives B a bias, times the scaling: for linear layers, without DoRA. @defaultValue false */
  readonly loraBias?: boolean;
}

/** Which layers are adapted. */
export interface LoraTargets {
  /**
   * The layers to adapt: linear layers, Conv1D and embeddings. A list: module names or their ends, `['q_proj', 'v_proj']`. A
   * string: a regular expression that a whole module name matches, or `'all-linear'`. No default: a guess would train the wrong
   * layers.
   */
  readonly targetModules: string | readonly string[];
  /** Layers to leave out, in the same way. @defaultValue none */
  readonly excludeModules?: string | readonly string[];
  /** Numbers of the blocks to adapt. @defaultValue all */
  readonly layersToTransform?: number | readonly number[];
  /** The name before a block's number. @defaultValue any */
  readonly layersPattern?: string | readonly string[];
}

/** What is trained beside A and B. */
export interface LoraExtras {
  /** Trains biases of the model too: all, or those of the adapted layers. @defaultValue 'none' */
  readonly bias?: TrainedBiases;
  /** Modules, by the ends of their paths, that are trained whole and stored with the adapter. @defaultValue none */
  readonly modulesToSave?: readonly string[];
  /**
   * Tokens whose rows of the embedding are trained; a head that shares the table follows. An object names tables by the ends of
   * their paths. @defaultValue none
   */
  readonly trainableTokenIndices?: TokenIndices;
  /**
   * Whether `modulesToSave` and `trainableTokenIndices` keep embedding and output layer equal where the model shares one weight
   * between them. @defaultValue false: a saved module has a weight of its own then
   */
  readonly ensureWeightTying?: boolean;
}

/** What the file of the adapter says of its origin. */
export interface LoraOrigin {
  /** Name or path of the base model, for the file. @defaultValue where the model came from */
  readonly baseModelNameOrPath?: string;
  /** Revision of the base model, for the file. @defaultValue none */
  readonly revision?: string;
  /** For the file. Models here are causal language models. @defaultValue 'CAUSAL_LM' */
  readonly taskType?: 'CAUSAL_LM';
}

/** The names that PEFT has for some options. */
interface PeftNames {
  /** PEFT's name of `rank`. */
  readonly r?: number;
  /** PEFT's name of `alpha`. In PEFT it is 8 where nothing is said, here the rank. */
  readonly loraAlpha?: number;
  /** PEFT's name of `dropout`. */
  readonly loraDropout?: number;
  /** PEFT's name of `initialization`; `true` is `'default'`. */
  readonly initLoraWeights?: Initialization | true;
}

/** The options as they are used. */
export interface CheckedOptions {
  readonly settings: LoraSettings;
  readonly initialization: Initialization;
  readonly seed: number;
  /** What the file says of its origin. */
  readonly provenance: Readonly<Record<string, unknown>>;
}

const synonyms: Readonly<Record<keyof PeftNames, keyof LoraOptions>> = {
  r: 'rank',
  loraAlpha: 'alpha',
  loraDropout: 'dropout',
  initLoraWeights: 'initialization',
};

const known: readonly (keyof LoraOptions)[] = [
  ...['rank', 'alpha', 'dropout', 'targetModules', 'excludeModules', 'layersToTransform', 'layersPattern'] as const, // prettier-ignore
  ...(['useRslora', 'useDora', 'rankPattern', 'alphaPattern', 'bias', 'loraBias', 'modulesToSave'] as const),
  ...(['trainableTokenIndices', 'ensureWeightTying', 'initialization', 'seed'] as const),
  ...(['baseModelNameOrPath', 'revision', 'taskType'] as const),
];

/** @throws Problem on options that are unknown, out of range, or cannot go together */
export function readOptions(given: LoraOptions): CheckedOptions {
  const options = renameOptions(given);
  checkSupported(options);
  checkOptions('peft-lora', 'lora()', options, known);
  const { rank = 8, alpha = rank, dropout = 0, rankPattern = {}, alphaPattern = {}, bias = 'none', seed = 0 } = options;
  const { useRslora = false, useDora = false, loraBias = false, ensureWeightTying = false } = options;
  checkNumber('peft-lora', 'rank', rank, ranges.count, 'start with rank: 8');
  checkNumber('peft-lora', 'alpha', alpha, positive, 'start with the rank');
  checkNumber('peft-lora', 'dropout', dropout, ranges.shareBelowOne);
  for (const [name, flag] of Object.entries({ useRslora, useDora, loraBias, ensureWeightTying })) {
    checkValue('peft-lora', name, flag, v => typeof v === 'boolean', 'true or false');
  }
  checkPattern('rankPattern', rankPattern, ranges.count.accepts, 'integers ≥ 1');
  checkPattern('alphaPattern', alphaPattern, positive.accepts, 'numbers > 0');
  checkValue('peft-lora', 'bias', bias, v => ['none', 'all', 'lora_only'].includes(v), "'none', 'all' or 'lora_only'");
  checkNumber('peft-lora', 'seed', seed, ranges.integer);
  const initialization = readInitialization(options.initialization);
  const { trainableTokenIndices } = options;
  checkValue(
    'peft-lora',
    'trainableTokenIndices',
    trainableTokenIndices,
    isTokens,
    'token numbers, each once, or such lists by table',
  );
  if (loraBias) checkLoraBias(useDora, initialization);
  const { baseModelNameOrPath, revision, taskType = 'CAUSAL_LM' } = options;
  const isName = (v: unknown): boolean => v === undefined || (typeof v === 'string' && v !== '');
  checkValue('peft-lora', 'baseModelNameOrPath', baseModelNameOrPath, isName, 'a name or path');
  checkValue('peft-lora', 'revision', revision, isName, 'a name');
  checkValue<string>(
    'peft-lora',
    'taskType',
    taskType,
    v => v === 'CAUSAL_LM',
    "'CAUSAL_LM', which the models here are",
  );
  return {
    settings: {
      ...{ rank, alpha, dropout, useRslora, useDora, loraBias, bias, rankPattern, alphaPattern },
      ...{ trainableTokenIndices, ensureWeightTying, rules: readRules(options) },
    },
    initialization,
    seed,
    provenance: {
      ...(baseModelNameOrPath !== undefined && { base_model_name_or_path: baseModelNameOrPath }),
      ...(revision !== undefined && { revision }),
    },
  };
}

/** The options under their names here. */
function renameOptions(given: LoraOptions): LoraOptions {
  const options: Record<string, unknown> = { ...given };
  for (const [peftName, name] of Object.entries(synonyms)) {
    if (options[peftName] === undefined) continue;
    if (options[name] !== undefined) {
      throw problem('peft-lora', {
        what: `lora(): ${peftName} and ${name} are the same option`,
        got: { [peftName]: options[peftName], [name]: options[name] },
        fix: 'give one of them',
      });
    }
    options[name] = options[peftName];
  }
  for (const peftName of Object.keys(synonyms)) Reflect.deleteProperty(options, peftName);
  return options as unknown as LoraOptions;
}

/** What PEFT's `LoraConfig` has and this does not is refused with the reason. */
function checkSupported(options: object): void {
  for (const [name, value] of Object.entries(options) as [string, unknown][]) {
    const reason = Object.hasOwn(unsupportedOptions, name) ? unsupportedOptions[name] : undefined;
    if (reason === undefined) continue;
    throw problem('peft-lora', {
      what: `lora(): ${name} is not supported: ${reason}`,
      got: value,
      fix: 'leave it out',
    });
  }
}

function readInitialization(given: unknown = 'default'): Initialization {
  const initialization = given === true ? 'default' : given;
  if (initialization === false) return false;
  const name = String(initialization);
  if (['default', 'gaussian', 'orthogonal', 'pissa', 'olora'].includes(name)) return name as Initialization;
  if (/^pissa_niter_\d+$/.test(name)) return name as Initialization;
  throw problem('peft-lora', {
    what: Object.hasOwn(otherInitializations, name)
      ? `initialization '${name}' is not supported: ${otherInitializations[name]!}`
      : 'initialization is not usable',
    got: given,
    expected: "'default', 'gaussian', 'orthogonal', 'pissa', 'pissa_niter_<iterations>', 'olora' or false",
  });
}

/** What PEFT has besides, and what would be needed for it. */
const otherInitializations: Readonly<Record<string, string>> = {
  eva: 'it starts from the activations of a data set',
  corda: 'it starts from the activations of a data set',
  lora_ga: 'it starts from the gradients of a data set',
  loftq: 'it starts from a quantized base',
  mica: 'it trains A alone',
};

function checkLoraBias(useDora: boolean, initialization: Initialization): void {
  if (useDora) {
    throw problem('peft-lora', {
      what: 'loraBias does not go together with useDora',
      expected: 'one of them, as in PEFT',
    });
  }
  checkValue('peft-lora', 'initialization', initialization, v => v === 'default' || v === false, "with loraBias, 'default' or false, as in PEFT"); // prettier-ignore
}

function readRules(options: LoraOptions): TargetRules {
  const { targetModules, excludeModules, layersToTransform, layersPattern, modulesToSave } = options;
  const isList = (v: unknown): boolean => Array.isArray(v) && v.every(entry => typeof entry === 'string');
  const isNames = (v: unknown): boolean => typeof v === 'string' || isList(v);
  const isOptional = (v: unknown): boolean => v === undefined || isNames(v);
  const names = 'a list of module names, or a regular expression as a string';
  checkValue(
    'peft-lora',
    'targetModules',
    targetModules,
    isNames,
    `${names}, or 'all-linear'`,
    "start with ['q_proj', 'v_proj']",
  );
  checkValue('peft-lora', 'excludeModules', excludeModules, isOptional, names);
  checkValue('peft-lora', 'layersPattern', layersPattern, isOptional, "names such as 'layers'");
  const isSaved = (v: unknown): boolean => v === undefined || (isList(v) && !(v as string[]).includes(''));
  checkValue('peft-lora', 'modulesToSave', modulesToSave, isSaved, 'a list of module names');
  const isLayer = (v: unknown): boolean => Number.isInteger(v) && (v as number) >= 0;
  const isLayers = (v: unknown): boolean => v === undefined || isLayer(v) || (Array.isArray(v) && v.every(isLayer));
  checkValue('peft-lora', 'layersToTransform', layersToTransform, isLayers, 'numbers of blocks, from 0');
  return { targetModules, excludeModules, layersToTransform, layersPattern, modulesToSave };
}

/** Whether these are token numbers, each once, or such lists by name. */
export function isTokens(value: unknown): boolean {
  const isList = (v: unknown): boolean =>
    Array.isArray(v) && v.length > 0 && new Set(v).size === v.length && v.every(ranges.index.accepts);
  if (value === undefined || isList(value)) return true;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const lists = Object.values(value);
  return lists.length > 0 && lists.every(isList);
}

const positive: NumberRange = { accepts: v => v > 0 && v < Infinity, expected: 'a number > 0' };

function checkPattern(name: string, pattern: unknown, accepts: NumberRange['accepts'], expected: string): void {
  const isPattern = (value: unknown): boolean =>
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every(entry => typeof entry === 'number' && accepts(entry));
  checkValue('peft-lora', name, pattern, isPattern, `an object of ${expected} by module name`);
}
