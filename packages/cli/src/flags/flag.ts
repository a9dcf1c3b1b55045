import { problem } from '@dropbp/basics';

/** A flag of a command: how its text becomes a value, and what the help says of it. */
export interface Flag<T> {
  /** What stands for the value in the help: `'<folder>'`. Absent for a switch. */
  readonly placeholder?: string;
  readonly help: string;
  /** Shown in the help where the default is not a value but a rule: `'the rank'`. */
  readonly defaultText?: string;
  readonly isRequired?: boolean;
  /** The value where the flag is not given. */
  readonly fallback: T;
  /** @throws Problem if the text is no such value; `name` is the flag as written */
  read(text: string, name: string): T;
}

/** The flags of a command by camelCase name: `learningRate` is `--learning-rate`. */
export type Flags = Readonly<Record<string, Flag<unknown>>>;

/** The values that a command's flags take. */
export type FlagValues<F extends Flags> = { readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never };

/** A switch: false unless given. */
export function toggle(help: string): Flag<boolean> {
  return { help, fallback: false, read: () => true };
}

/** Text that is taken as it is. */
export function text(placeholder: string, help: string, fallback: string): Flag<string>;
export function text(placeholder: string, help: string): Flag<string | undefined>;
export function text(placeholder: string, help: string, fallback?: string): Flag<string | undefined> {
  return { placeholder, help, fallback, read: nonEmpty };
}

/** Text without which the command cannot run. */
export function requiredText(placeholder: string, help: string): Flag<string> {
  return { placeholder, help, fallback: '', isRequired: true, read: nonEmpty };
}

/** One of a few words. */
export function choice<T extends string>(words: readonly T[], help: string, fallback: T): Flag<T> {
  return {
    placeholder: words.join('|'),
    help,
    fallback,
    read(given, name) {
      const found = words.find(word => word === given);
      if (found === undefined) throw wrong(name, given, words.map(word => `'${word}'`).join(' or '));
      return found;
    },
  };
}

/** What a number must fulfil. */
export interface NumberRule {
  readonly accepts: (value: number) => boolean;
  /** In words: `'an integer ≥ 1'`. */
  readonly expected: string;
}

export const positiveInteger: NumberRule = {
  accepts: v => Number.isSafeInteger(v) && v >= 1,
  expected: 'an integer ≥ 1',
};
export const seedInteger: NumberRule = {
  accepts: v => Number.isInteger(v) && v >= 0 && v < 2 ** 32,
  expected: 'an integer in [0, 2^32)',
};
export const positive: NumberRule = { accepts: v => Number.isFinite(v) && v > 0, expected: 'a number > 0' };
export const notNegative: NumberRule = { accepts: v => Number.isFinite(v) && v >= 0, expected: 'a number ≥ 0' };
export const share: NumberRule = { accepts: v => v >= 0 && v < 1, expected: 'a number in [0, 1)' };

/** A number that fulfils a rule. */
export function number(rule: NumberRule, help: string, fallback: number): Flag<number>;
export function number(rule: NumberRule, help: string): Flag<number | undefined>;
export function number(rule: NumberRule, help: string, fallback?: number): Flag<number | undefined> {
  return {
    placeholder: '<n>',
    help,
    fallback,
    read(given, name) {
      const value = given.trim() === '' ? NaN : Number(given);
      if (!rule.accepts(value)) throw wrong(name, given, rule.expected);
      return value;
    },
  };
}

function nonEmpty(given: string, name: string): string {
  if (given === '') throw wrong(name, given, 'a text that is not empty');
  return given;
}

function wrong(name: string, got: string, expected: string): Error {
  return problem('cli', { what: `${name} is not usable`, got, expected });
}
