import { problem } from '@dropbp/basics';

/** A flag of a command: how its text becomes a value, and what the help says of it. */
export interface Flag<T> {
  /** What stands for the value in the help: `'<folder>'`. Absent for a switch. */
  readonly placeholder?: string;
  readonly help: string;
  /** Shown in the help where the default is not a value but a rule: `'the rank'`. */
  readonly defaultText?: string;
  readonly isRequired?: boolean;
  /** Other names of it, in camelCase, such as those that other programs have. */
  readonly aliases?: readonly string[];
  /** Puts the values of a flag together that can be given several times; absent for one that cannot. */
  join?(values: readonly T[]): T;
  /** The value where the flag is not given. */
  readonly fallback: T;
  /** What stands for it in a configuration file, for editors. */
  readonly schema: JsonSchema;
  /** @throws Problem if the text is no such value; `name` is the flag as written */
  read(text: string, name: string): T;
  /** The value of a configuration file. @throws Problem if it is none; `name` says where it stands */
  take(value: unknown, name: string): T;
  /** What {@link take} makes a value of. Absent where that is the value itself. */
  write?(value: T): unknown;
}

/** A part of JSON Schema, draft 07. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** The flags of a command by camelCase name: `learningRate` is `--learning-rate`. */
export type Flags = Readonly<Record<string, Flag<unknown>>>;

/** What a configuration file has to hold for a flag to have this value. */
export function writeFlag(flags: Flags, key: string, value: unknown): unknown {
  const flag = flags[key];
  return value === undefined || flag?.write === undefined ? value : flag.write(value);
}

/** The values that a command's flags take. */
export type FlagValues<F extends Flags> = { readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never };

/** A switch: false unless given. */
export function toggle(help: string): Flag<boolean> {
  return {
    help,
    fallback: false,
    schema: { type: 'boolean' },
    read: () => true,
    take(value, name) {
      if (typeof value === 'boolean') return value;
      throw unusable(name, value, 'true or false');
    },
  };
}

/** Text that is taken as it is. */
export function text(placeholder: string, help: string, fallback: string): Flag<string>;
export function text(placeholder: string, help: string): Flag<string | undefined>;
export function text(placeholder: string, help: string, fallback?: string): Flag<string | undefined> {
  return { ...textValue, placeholder, help, fallback };
}

/** A size in bytes with a unit, or a count of them: text, in a file also a number. What it may be, who takes it says. */
export function size(help: string): Flag<string | undefined> {
  return {
    ...text('<size>', help),
    schema: { oneOf: [textValue.schema, positive.schema] },
    take: (value, name) => textValue.take(typeof value === 'number' ? String(value) : value, name),
  };
}

/** Text without which the command cannot run. */
export function requiredText(placeholder: string, help: string): Flag<string> {
  return { ...textValue, placeholder, help, fallback: '', isRequired: true };
}

/** Texts: one flag each on the command line, a text or a list of texts in a file. */
export function texts(placeholder: string, help: string): Flag<readonly string[]> {
  return {
    placeholder,
    help,
    fallback: [],
    join: values => values.flat(),
    schema: listSchema,
    read: (given, name) => [nonEmpty(given, name)],
    take(value, name) {
      if (typeof value === 'string') return [nonEmpty(value, name)];
      return listOfTexts(value, name, 'a text, or a list of texts');
    },
  };
}

/** Files, without which the command cannot run: one flag each on the command line, a text or a list of texts in a file. */
export function paths(placeholder: string, help: string): Flag<readonly string[]> {
  return { ...texts(placeholder, help), isRequired: true };
}

/** Columns by what they hold: `prompt=question,completion=answer` on the command line, a map in a file. */
export function columns(help: string): Flag<Readonly<Record<string, string>> | undefined> {
  const expected = "names such as 'prompt=question,completion=answer'";
  return {
    placeholder: '<name=column,…>',
    help,
    fallback: undefined,
    schema: { type: 'object', additionalProperties: textValue.schema },
    read(given, name) {
      const pairs = given.split(',').map(pair => pair.split('=').map(part => part.trim()));
      if (pairs.some(pair => pair.length !== 2 || pair.includes(''))) throw unusable(name, given, expected);
      return eachOnce(pairs as [string, string][], given, name);
    },
    take(value, name) {
      const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
      if (isMap && Object.values(value).every(column => typeof column === 'string' && column !== '')) {
        return value as Record<string, string>;
      }
      throw unusable(name, value, 'a column for each name');
    },
  };
}

/** Pairs as a map. @throws Problem for a name that stands there twice */
export function eachOnce<T>(pairs: readonly (readonly [string, T])[], given: string, name: string): Record<string, T> {
  const values = Object.fromEntries(pairs);
  if (Object.keys(values).length === pairs.length) return values;
  throw unusable(name, given, 'each name once');
}

/** Several names: 'a,b' on the command line, a list or the same text in a file. */
export function names(placeholder: string, help: string): Flag<readonly string[] | undefined> {
  const read = (given: string, name: string): string[] => list(given.split(','), given, name);
  return {
    placeholder,
    help,
    fallback: undefined,
    schema: listSchema,
    read,
    take(value, name) {
      if (typeof value === 'string') return read(value, name);
      return list(listOfTexts(value, name, "names such as 'q_proj,v_proj', or a list of them"), value, name);
    },
  };
}

function list(parts: readonly string[], given: unknown, name: string): string[] {
  const trimmed = parts.map(part => part.trim());
  if (trimmed.includes('')) throw unusable(name, given, "names such as 'q_proj,v_proj'");
  return trimmed;
}

/** A word of a few, or none where the flag is not given. */
export function optionalChoice<T extends string>(
  words: readonly T[],
  help: string,
  defaultText?: string,
): Flag<T | undefined> {
  const given: Flag<T | undefined> = choice(words, help, words[0]!);
  return { ...given, fallback: undefined, ...(defaultText !== undefined && { defaultText }) };
}

/** One of a few words. */
export function choice<T extends string>(words: readonly T[], help: string, fallback: T): Flag<T> {
  const take = (given: unknown, name: string): T => {
    const found = words.find(word => word === given);
    if (found === undefined) throw unusable(name, given, words.map(word => `'${word}'`).join(' or '));
    return found;
  };
  return { placeholder: words.join('|'), help, fallback, schema: { enum: words }, read: take, take };
}

/** What a number must fulfil. */
export interface NumberRule {
  readonly accepts: (value: number) => boolean;
  /** In words: `'an integer ≥ 1'`. */
  readonly expected: string;
  /** The same for editors. */
  readonly schema: JsonSchema;
}

export const positiveInteger: NumberRule = {
  accepts: v => Number.isSafeInteger(v) && v >= 1,
  expected: 'an integer ≥ 1',
  schema: { type: 'integer', minimum: 1 },
};
export const index: NumberRule = {
  accepts: v => Number.isSafeInteger(v) && v >= 0,
  expected: 'an integer ≥ 0',
  schema: { type: 'integer', minimum: 0 },
};
export const seedInteger: NumberRule = {
  accepts: v => Number.isInteger(v) && v >= 0 && v < 2 ** 32,
  expected: 'an integer in [0, 2^32)',
  schema: { type: 'integer', minimum: 0, exclusiveMaximum: 2 ** 32 },
};
export const positive: NumberRule = {
  accepts: v => Number.isFinite(v) && v > 0,
  expected: 'a number > 0',
  schema: { type: 'number', exclusiveMinimum: 0 },
};
export const notNegative: NumberRule = {
  accepts: v => Number.isFinite(v) && v >= 0,
  expected: 'a number ≥ 0',
  schema: { type: 'number', minimum: 0 },
};
export const atLeastOne: NumberRule = {
  accepts: v => v >= 1 && v < Infinity,
  expected: 'a number ≥ 1',
  schema: { type: 'number', minimum: 1 },
};
export const share: NumberRule = {
  accepts: v => v >= 0 && v < 1,
  expected: 'a number in [0, 1)',
  schema: { type: 'number', minimum: 0, exclusiveMaximum: 1 },
};
export const upToOne: NumberRule = {
  accepts: v => v >= 0 && v <= 1,
  expected: 'a number in [0, 1]',
  schema: { type: 'number', minimum: 0, maximum: 1 },
};
export const shareAboveZero: NumberRule = {
  accepts: v => v > 0 && v < 1,
  expected: 'a number in (0, 1)',
  schema: { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1 },
};
export const probability: NumberRule = {
  accepts: v => v > 0 && v <= 1,
  expected: 'a number in (0, 1]',
  schema: { type: 'number', exclusiveMinimum: 0, maximum: 1 },
};

/** A number that fulfils a rule. */
export function number(rule: NumberRule, help: string, fallback: number): Flag<number>;
export function number(rule: NumberRule, help: string): Flag<number | undefined>;
export function number(rule: NumberRule, help: string, fallback?: number): Flag<number | undefined> {
  return {
    placeholder: '<n>',
    help,
    fallback,
    schema: rule.schema,
    read(given, name) {
      const value = given.trim() === '' ? NaN : Number(given);
      if (!rule.accepts(value)) throw unusable(name, given, rule.expected);
      return value;
    },
    take(value, name) {
      if (typeof value !== 'number' || !rule.accepts(value)) throw unusable(name, value, rule.expected);
      return value;
    },
  };
}

const textValue = {
  schema: { type: 'string', minLength: 1 },
  read: nonEmpty,
  take(value: unknown, name: string): string {
    if (typeof value === 'string') return nonEmpty(value, name);
    throw unusable(name, value, 'a text');
  },
};

const listSchema: JsonSchema = {
  oneOf: [textValue.schema, { type: 'array', items: textValue.schema, minItems: 1 }],
};

function listOfTexts(value: unknown, name: string, expected: string): readonly string[] {
  if (Array.isArray(value) && value.length > 0 && value.every(entry => typeof entry === 'string' && entry !== '')) {
    return value as string[];
  }
  throw unusable(name, value, expected);
}

function nonEmpty(given: string, name: string): string {
  if (given === '') throw unusable(name, given, 'a text that is not empty');
  return given;
}

/** The error of a value that a flag, or a key of a file, does not take. */
export function unusable(name: string, got: unknown, expected: string): Error {
  return problem('cli', { what: `${name} is not usable`, got, expected });
}
