import type { Model } from '../contract/model.ts';
import { findTokenHead } from '../run/head/tokenHead.ts';
import { isObject, problem } from '@dropbp/basics';

type Config = Readonly<Record<string, unknown>>;

/** The release of PEFT whose configurations are written. */
export const PEFT_VERSION = '0.21.2';

/** The keys of a loaded configuration that say where it comes from, and are kept when it is saved again. */
export interface Provenance {
  /** PEFT's note of the class of a model that it does not know. */
  readonly auto_mapping?: unknown;
  /** The base model: a folder or a hub id. */
  readonly base_model_name_or_path?: unknown;
  /** Which commit of the base model. */
  readonly revision?: unknown;
  /** PEFT's kind of task: `'CAUSAL_LM'`. */
  readonly task_type?: unknown;
}

/** What a package knows of a method's `adapter_config.json`. */
export interface PeftConfigRules {
  /** The package that speaks in errors. */
  readonly package: string;
  /** `'IA3'`. */
  readonly peftType: string;
  /** Every key of the method's own with PEFT's default. */
  readonly defaults: Config;
  /** Keys that may hold anything: those that are read, and those that do not change what a loaded adapter computes. */
  readonly known: readonly string[];
  /** What a key does, where it is set, that the package cannot. */
  readonly unsupported: Readonly<Record<string, string>>;
  /** Keys that hold null or an object, which PEFT makes a configuration of its own from, even where it is empty. @defaultValue none */
  readonly subConfigs?: readonly string[];
}

/** The values of an `adapter_config.json`, each checked when it is read. */
export interface PeftConfigReader {
  /** @throws Problem where the value is not accepted */
  read<T>(key: string, accepts: (value: unknown) => value is T, expected: string): T;
  /** The same; undefined for null. */
  optional<T>(key: string, accepts: (value: unknown) => value is T, expected: string): T | undefined;
  /** What the file says of the adapter's origin. */
  readonly provenance: Provenance;
}

/** The keys of every method with PEFT's defaults. */
const commonDefaults: Config = {
  auto_mapping: null,
  base_model_name_or_path: null,
  inference_mode: false,
  peft_version: PEFT_VERSION,
  revision: null,
  task_type: null,
};

const taskTypes = ['SEQ_CLS', 'SEQ_2_SEQ_LM', 'CAUSAL_LM', 'TOKEN_CLS', 'QUESTION_ANS', 'FEATURE_EXTRACTION'];

/** `runtime_config`: how a program ran, which old versions wrote. */
const harmless: readonly string[] = [...Object.keys(commonDefaults), 'peft_type', 'runtime_config'];

/**
 * Reads a configuration in PEFT's words. Missing keys take PEFT's defaults.
 *
 * @throws Problem for another method, for a value that would change what the adapter computes and is not supported, and
 *   for an unknown key that is set
 */
export function peftConfigReader(config: Config, rules: PeftConfigRules): PeftConfigReader {
  const { package: packageName, peftType, defaults } = rules;
  if (config.peft_type !== peftType) {
    throw problem(packageName, {
      what: 'this is an adapter of another method',
      got: config.peft_type,
      expected: peftType,
    });
  }
  const given: Config = { ...commonDefaults, ...defaults, ...config };
  checkKeys(given, rules);
  const { auto_mapping, base_model_name_or_path, revision, task_type } = given;
  const read: PeftConfigReader['read'] = (key, accepts, expected) => {
    const value = given[key];
    if (accepts(value)) return value;
    throw problem(packageName, { what: `${key} in adapter_config.json is not usable`, got: value, expected });
  };
  const optional: PeftConfigReader['optional'] = (key, accepts, expected) =>
    given[key] === null ? undefined : read(key, accepts, expected);
  optional('task_type', isTaskType, `null, or one of ${taskTypes.join(', ')}`);
  for (const key of rules.subConfigs ?? []) optional(key, isObject, 'null or an object');
  return {
    read,
    optional,
    provenance: { auto_mapping, base_model_name_or_path, revision, task_type },
  };
}

/** @throws Problem naming every key that is set and not supported, or else the first that is not known */
function checkKeys(
  config: Config,
  { package: packageName, known, unsupported, subConfigs = [] }: PeftConfigRules,
): void {
  const set = Object.keys(config).filter(key => {
    if (harmless.includes(key) || known.includes(key)) return false;
    return subConfigs.includes(key) ? isObject(config[key]) : !isUnset(config[key]);
  });
  const refused = set.filter(key => Object.hasOwn(unsupported, key));
  if (refused.length > 0) {
    throw problem(packageName, {
      what: refused.map(key => `${key} is not supported: ${unsupported[key]!}`).join('; '),
      got: refused.length === 1 ? config[refused[0]!] : Object.fromEntries(refused.map(key => [key, config[key]])),
    });
  }
  const [key] = set;
  if (key === undefined) return;
  throw problem(packageName, {
    what: `the configuration has a key that is not known, '${key}'`,
    got: { [key]: config[key], peft_version: config.peft_version },
    expected: `the keys of PEFT ${PEFT_VERSION}, or a value that is null, false or empty`,
    fix: `if it does not change what the adapter computes, take '${key}' out of adapter_config.json`,
  });
}

function isTaskType(value: unknown): value is string {
  return taskTypes.includes(value as string);
}

function isUnset(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0;
  return value === undefined || value === null || value === false || value === '' || value === 0;
}

/**
 * A configuration as PEFT writes it: all keys of the method, and where the adapter comes from.
 *
 * @param own - the values that differ from the defaults
 * @param provenance - of the file that the adapter was loaded from. @defaultValue none
 */
export function writePeftConfig(
  model: Model,
  { peftType, defaults }: Pick<PeftConfigRules, 'peftType' | 'defaults'>,
  own: Config,
  provenance: Provenance = {},
): Config {
  const base = provenance.base_model_name_or_path ?? null;
  // A revision is one of the base that it was written for.
  const isSameBase = model.source === '' || base === null || base === model.source;
  return {
    ...commonDefaults,
    task_type: findTokenHead(model) === undefined ? 'FEATURE_EXTRACTION' : 'CAUSAL_LM',
    ...provenance,
    base_model_name_or_path: model.source === '' ? base : model.source,
    revision: model.revision ?? (isSameBase ? (provenance.revision ?? null) : null),
    inference_mode: true,
    peft_type: peftType,
    ...defaults,
    ...own,
  };
}
