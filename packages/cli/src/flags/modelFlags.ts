import { eachOnce, unusable, type Flag, type NumberRule } from './flag.ts';

/** Which modules of a model: names or their ends, or a regular expression that a whole name matches. */
export type ModuleNames = string | readonly string[];

const namesExpected = "names such as 'q_proj,v_proj', or a regular expression between slashes";

/**
 * Modules of a model: `q_proj,v_proj`, or a regular expression between slashes, `/.*\.(q|v)_proj/`; a list or the same text in a
 * file. What stands in `words` is handed on as it is.
 */
export function modules(help: string, words: readonly string[] = []): Flag<ModuleNames | undefined> {
  const read = (given: string, name: string): ModuleNames => {
    if (words.includes(given)) return given;
    if (given.length > 2 && given.startsWith('/') && given.endsWith('/')) return given.slice(1, -1);
    return nonEmptyNames(given.split(','), given, name);
  };
  return {
    placeholder: '<names>',
    help,
    fallback: undefined,
    schema: {
      oneOf: [
        { type: 'string', minLength: 1 },
        { type: 'array', items: { type: 'string' }, minItems: 1 },
      ],
    },
    read,
    take(value, name) {
      if (typeof value === 'string') return read(value, name);
      if (Array.isArray(value) && value.length > 0 && value.every(entry => typeof entry === 'string')) {
        return nonEmptyNames(value, value, name);
      }
      throw unusable(name, value, namesExpected);
    },
    write: value => (typeof value === 'string' && !words.includes(value) ? `/${value}/` : value),
  };
}

function nonEmptyNames(parts: readonly string[], got: unknown, name: string): string[] {
  const trimmed = parts.map(part => part.trim());
  if (!trimmed.includes('')) return trimmed;
  throw unusable(name, got, namesExpected);
}

const indicesExpected = "numbers from 0 and ranges of them, such as '0,2,8-11'";

/** Several numbers from 0: `0,2,8-11`; a list or the same text in a file. */
export function indices(help: string): Flag<readonly number[] | undefined> {
  const isIndex = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
  const read = (given: string, name: string): number[] =>
    given.split(',').flatMap(part => {
      const [, first, last = first] = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(part) ?? [];
      const [from, to] = [Number(first), Number(last)];
      if (first !== undefined && isIndex(from) && to >= from && to - from < 1e6) {
        return Array.from({ length: to - from + 1 }, (_, i) => from + i);
      }
      throw unusable(name, given, indicesExpected);
    });
  return {
    placeholder: '<n,n-n,…>',
    help,
    fallback: undefined,
    schema: {
      oneOf: [
        { type: 'integer', minimum: 0 },
        { type: 'string', pattern: String.raw`^\d+(-\d+)?(,\d+(-\d+)?)*$` },
        { type: 'array', items: { type: 'integer', minimum: 0 }, minItems: 1 },
      ],
    },
    read,
    take(value, name) {
      if (typeof value === 'string') return read(value, name);
      const list: unknown[] = Array.isArray(value) ? value : [value];
      if (list.length > 0 && list.every(isIndex)) return list as number[];
      throw unusable(name, value, indicesExpected);
    },
  };
}

/** A number for each name, which may be a regular expression: `q_proj=16,down_proj=4`, a map in a file. */
export function numbersByName(rule: NumberRule, help: string): Flag<Readonly<Record<string, number>> | undefined> {
  const expected = `${rule.expected} for each name, such as 'q_proj=16,down_proj=4'`;
  return {
    placeholder: '<name=n,…>',
    help,
    fallback: undefined,
    schema: { type: 'object', additionalProperties: rule.schema, minProperties: 1 },
    read(given, name) {
      const pairs = given.split(',').map(pair => {
        const at = pair.lastIndexOf('=');
        const [key, text] = [pair.slice(0, Math.max(0, at)).trim(), pair.slice(at + 1).trim()];
        if (key === '' || text === '' || !rule.accepts(Number(text))) throw unusable(name, given, expected);
        return [key, Number(text)] as const;
      });
      return eachOnce(pairs, given, name);
    },
    take(value, name) {
      const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
      const numbers = isMap ? Object.values(value) : [];
      const isRight = (entry: unknown): boolean => typeof entry === 'number' && rule.accepts(entry);
      if (numbers.length > 0 && numbers.every(isRight)) return value as Record<string, number>;
      throw unusable(name, value, expected);
    },
  };
}

/** A text of a certain form. */
export function textLike(
  pattern: RegExp,
  placeholder: string,
  help: string,
  expected: string,
): Flag<string | undefined> {
  const take = (value: unknown, name: string): string => {
    if (typeof value === 'string' && pattern.test(value)) return value;
    throw unusable(name, value, expected);
  };
  return {
    placeholder,
    help,
    fallback: undefined,
    schema: { type: 'string', pattern: pattern.source },
    read: take,
    take,
  };
}
