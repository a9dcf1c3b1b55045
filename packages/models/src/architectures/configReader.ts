import { nearNames, problem } from '@dropbp/basics';
import { inertKeys } from './inertKeys.ts';
import { plainLimits, type ModelLimits } from './modelLimits.ts';

/** The keys of a `config.json`. */
export type RawConfig = Readonly<Record<string, unknown>>;

/**
 * Reads a configuration key by key and remembers which, so that {@link ConfigReader.finish} can refuse those that
 * nobody read: a key that asks for something else than what the code does never passes in silence.
 */
export interface ConfigReader {
  readonly config: RawConfig;
  readonly limits: ModelLimits;
  /** A whole number ≥ 1. Without a fallback the key must be there; null in the file counts as absent. */
  integer(key: string, fallback?: number): number;
  /** The number of layers. @throws Problem for more than the limits allow */
  layers(key: string): number;
  /** A whole number ≥ 1, undefined where the file says null, the fallback where it says nothing. */
  optionalInteger(key: string, fallback?: number): number | undefined;
  /** A finite number. */
  number(key: string, fallback: number): number;
  /** The same, undefined where the file says null, the fallback where it says nothing. */
  optionalNumber(key: string, fallback?: number): number | undefined;
  boolean(key: string, fallback: boolean): boolean;
  /** What a table says for the key's value. */
  choice<T>(key: string, table: Readonly<Record<string, T>>, fallback: string): T;
  /** Refuses a value that is not the only one which is supported; nothing in the file counts as that one. */
  only(key: string, value: number | boolean | string): void;
  /** The value as it is, for the caller to check. */
  raw(key: string): unknown;
  /**
   * @param inert - keys of this architecture that change no logits
   * @throws Problem that names every key that was not read, is not known to be inert, and has a value other than null,
   * false or empty
   */
  finish(inert: readonly string[]): void;
}

/** Where a configuration stands, for messages. */
export interface ConfigPlace {
  readonly file: string;
  /** What stands before every key there. */
  readonly prefix: string;
  readonly architecture: string;
}

/**
 * @param limits - what may be asked for at most. @defaultValue what any model has at most
 * @param place - where the keys stand. @defaultValue `config.json`
 */
export function configReader(config: RawConfig, limits: ModelLimits = plainLimits, place?: ConfigPlace): ConfigReader {
  const { file, prefix, architecture } = place ?? {
    file: 'config.json',
    prefix: '',
    architecture: String(config.model_type),
  };
  const read = new Set<string>();
  const get = (key: string): unknown => {
    read.add(key);
    return config[key];
  };
  const wrong = (key: string, expected: string): Error =>
    problem('models', { what: `${file}: ${prefix}${key} is not usable`, got: config[key], expected });
  const integer = (key: string, value: unknown): number => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= 1) return value;
    throw wrong(key, 'an integer ≥ 1');
  };
  const number = (key: string, value: unknown): number => {
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    throw wrong(key, 'a number');
  };

  return {
    config,
    limits,
    integer: (key, fallback) => integer(key, get(key) ?? fallback),
    layers(key) {
      const count = integer(key, get(key));
      if (count <= limits.layers) return count;
      throw wrong(key, `at most ${limits.layers} layers: ${limits.reason}`);
    },
    optionalInteger(key, fallback) {
      const value = get(key);
      if (value === null) return undefined;
      return value === undefined ? fallback : integer(key, value);
    },
    number: (key, fallback) => number(key, get(key) ?? fallback),
    optionalNumber(key, fallback) {
      const value = get(key);
      if (value === null) return undefined;
      return value === undefined ? fallback : number(key, value);
    },
    boolean(key, fallback) {
      const value = get(key) ?? fallback;
      if (typeof value === 'boolean') return value;
      throw wrong(key, 'true or false');
    },
    choice(key, table, fallback) {
      const value = get(key) ?? fallback;
      if (typeof value === 'string' && Object.hasOwn(table, value)) return table[value]!;
      throw wrong(key, `one of ${Object.keys(table).join(', ')}`);
    },
    only(key, value) {
      const got = get(key) ?? value;
      if (got === value) return;
      throw problem('models', { what: `${file}: ${prefix}${key} is not supported`, got, expected: String(value) });
    },
    raw: get,
    finish(inert) {
      const known = new Set([...read, ...inert, ...inertKeys]);
      const unread = Object.keys(config).filter(key => !known.has(key) && isActive(config[key]));
      if (unread.length === 0) return;
      const near = unread.length === 1 ? nearNames(unread[0]!, read, 1) : [];
      throw problem('models', {
        what: `${file} asks for what the '${architecture}' model does not do`,
        got: Object.fromEntries(unread.map(key => [prefix + key, config[key]])),
        expected: 'keys that are known to be supported, or known to change no result',
        fix:
          near.length > 0
            ? `if it is misspelt, '${prefix}${near[0]!}' is the nearest`
            : 'take another checkpoint, or remove what you know to change no result',
      });
    },
  };
}

function isActive(value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === '') return false;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}
