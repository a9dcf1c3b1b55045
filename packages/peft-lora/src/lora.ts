import { checkNumber, checkOptions, problem, ranges, seededRandom, type NumberRange } from '@dropbp/basics';
import type { Adapter, Pattern, TargetRules } from '@dropbp/core';
import { attachLora } from './attachLora.ts';
import { initialValues } from './initialValues.ts';
import { loraConfig } from './loraConfig.ts';
import { loraLayers } from './loraLayers.ts';
import type { Initialization, LoraSettings } from './settings.ts';

/** What {@link lora} takes. */
export interface LoraOptions {
  /** Rank r of `ΔW = scaling · B · A`, an integer ≥ 1. @defaultValue 8 */
  readonly rank?: number;
  /** Numerator of `scaling = alpha / rank`. @defaultValue `rank`, so that scaling is 1 */
  readonly alpha?: number;
  /** Probability in [0, 1) that an entry of an adapter's input is dropped in training. @defaultValue 0 */
  readonly dropout?: number;
  /**
   * The layers to adapt. A list: module names or their ends, `['q_proj', 'v_proj']`. A string: a regular expression that
   * a whole module name matches, or `'all-linear'`. No default: a guess would train the wrong layers.
   */
  readonly targetModules: string | readonly string[];
  /** Layers to leave out, in the same way. @defaultValue none */
  readonly excludeModules?: string | readonly string[];
  /** Numbers of the blocks to adapt. @defaultValue all */
  readonly layersToTransform?: number | readonly number[];
  /** The name before a block's number. @defaultValue any */
  readonly layersPattern?: string | readonly string[];
  /** `scaling = alpha / √rank` (Kalajdzievski, "rsLoRA", 2023). @defaultValue false */
  readonly useRslora?: boolean;
  /** Other ranks for some layers, by the end of their names or a regular expression for it. @defaultValue none */
  readonly rankPattern?: Pattern;
  /** Other alphas for some layers. A layer whose rank differs keeps `alpha`. @defaultValue none */
  readonly alphaPattern?: Pattern;
  /**
   * How A starts: uniform within ±1/√inFeatures, or normal of deviation 1/rank; B is zero. With `false`, B is random too,
   * so that the adapter changes the output at once: for tests. @defaultValue 'default'
   */
  readonly initialization?: Initialization;
  /** Seed of the first values, an integer. @defaultValue 0 */
  readonly seed?: number;
}

const known: readonly (keyof LoraOptions)[] = [
  'rank',
  'alpha',
  'dropout',
  'targetModules',
  'excludeModules',
  'layersToTransform',
  'layersPattern',
  'useRslora',
  'rankPattern',
  'alphaPattern',
  'initialization',
  'seed',
];

/**
 * LoRA: trains a low-rank change `ΔW = scaling · B · A` of linear layers and keeps the layers themselves.
 * Its files are those of Hugging Face PEFT.
 *
 * @throws Problem on options that are unknown or out of range; when attached, on targets that the model has not
 *
 * Source: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021, and PEFT 0.21.
 *
 * @example
 * ```ts
 * const tuned = compose(model, lora({ rank: 8, alpha: 16, targetModules: ['q_proj', 'v_proj'] }));
 * ```
 */
export function lora(options: LoraOptions): Adapter {
  checkOptions('peft-lora', 'lora()', options, known);
  const settings = settle(options);
  const { initialization = 'default', seed = 0 } = options;
  check('initialization', initialization, v => ['default', 'gaussian', false].includes(v), "'default', 'gaussian' or false"); // prettier-ignore
  check('seed', seed, Number.isInteger, 'an integer');
  return {
    name: 'lora',
    attach(model) {
      const layers = loraLayers(model, settings, true);
      const random = seededRandom(seed);
      return attachLora(model, layers, {
        dropout: settings.dropout,
        values: layer => initialValues(layer, initialization, random),
        config: () => loraConfig(model, layers, settings, initialization === 'default' ? true : initialization),
      });
    },
  };
}

function settle(options: LoraOptions): LoraSettings {
  const { rank = 8, alpha = rank, dropout = 0, useRslora = false, rankPattern = {}, alphaPattern = {} } = options;
  checkNumber('peft-lora', 'rank', rank, ranges.count, 'start with rank: 8');
  checkNumber('peft-lora', 'alpha', alpha, positive, 'start with the rank');
  checkNumber('peft-lora', 'dropout', dropout, ranges.shareBelowOne);
  check('useRslora', useRslora, v => typeof v === 'boolean', 'true or false');
  checkPattern('rankPattern', rankPattern, ranges.count.accepts, 'integers ≥ 1');
  checkPattern('alphaPattern', alphaPattern, positive.accepts, 'numbers > 0');
  return { rank, alpha, dropout, useRslora, rankPattern, alphaPattern, rules: settleRules(options) };
}

function settleRules(options: LoraOptions): TargetRules {
  const { targetModules, excludeModules, layersToTransform, layersPattern } = options;
  const isNames = (v: unknown): boolean =>
    typeof v === 'string' || (Array.isArray(v) && v.every(entry => typeof entry === 'string'));
  const isOptional = (v: unknown): boolean => v === undefined || isNames(v);
  const names = 'a list of module names, or a regular expression as a string';
  check('targetModules', targetModules, isNames, `${names}, or 'all-linear'`, "start with ['q_proj', 'v_proj']");
  check('excludeModules', excludeModules, isOptional, names);
  check('layersPattern', layersPattern, isOptional, "names such as 'layers'");
  const isLayer = (v: unknown): boolean => Number.isInteger(v) && (v as number) >= 0;
  const isLayers = (v: unknown): boolean => v === undefined || isLayer(v) || (Array.isArray(v) && v.every(isLayer));
  check('layersToTransform', layersToTransform, isLayers, 'numbers of blocks, from 0');
  return { targetModules, excludeModules, layersToTransform, layersPattern };
}

const positive: NumberRange = { accepts: v => v > 0 && v < Infinity, expected: 'a number > 0' };

function checkPattern(name: string, pattern: unknown, accepts: NumberRange['accepts'], expected: string): void {
  const isPattern = (value: unknown): boolean =>
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every(entry => typeof entry === 'number' && accepts(entry));
  check(name, pattern, isPattern, `an object of ${expected} by module name`);
}

function check<T>(name: string, value: T, accepts: (value: T) => boolean, expected: string, fix?: string): void {
  if (accepts(value)) return;
  throw problem('peft-lora', {
    what: `${name} is not usable`,
    got: value,
    expected,
    ...(fix !== undefined && { fix }),
  });
}
