import { parseArgs, type ParseArgsConfig } from 'node:util';
import { quoted } from './quoted.ts';

/** Options of a benchmark: the default of each, which also says whether it takes a text or is a switch. */
export type ArgumentDefaults = Readonly<Record<string, string | boolean>>;

/** What the command line of a benchmark says. */
export interface Arguments<Defaults extends ArgumentDefaults> {
  /** By name; defaults where nothing was given. */
  readonly values: { readonly [Name in keyof Defaults]: Defaults[Name] extends boolean ? boolean : string };
  /** The command that makes the whole result: what was given, without the options that choose a part of it. */
  readonly command: string;
}

/**
 * Reads the command line of a benchmark.
 *
 * @param script - its file, as the command names it
 * @param parts - options that say which part of a result is made, and not what it is
 * @throws TypeError for an option that there is not
 */
export function readArguments<const Defaults extends ArgumentDefaults>(
  script: string,
  defaults: Defaults,
  parts: readonly (keyof Defaults & string)[] = [],
): Arguments<Defaults> {
  const options: NonNullable<ParseArgsConfig['options']> = Object.fromEntries(
    Object.entries(defaults).map(([name, value]) => [
      name,
      { type: typeof value === 'boolean' ? 'boolean' : 'string' },
    ]),
  );
  const { values, tokens } = parseArgs({ options, tokens: true });
  const words = tokens.flatMap(token => {
    if (token.kind !== 'option' || parts.includes(token.name)) return [];
    return token.value === undefined ? [token.rawName] : [token.rawName, quoted(token.value)];
  });
  return {
    values: { ...defaults, ...values } as Arguments<Defaults>['values'],
    command: [`npx tsx bench/${script}`, ...words].join(' '),
  };
}

/** `'1e-3,2e-3'` → numbers. @throws Error for what is none */
export function numbersOf(list: string): number[] {
  return list.split(',').map(text => {
    const value = Number(text);
    if (text.trim() === '' || Number.isNaN(value)) throw new Error(`'${text}' of '${list}' is no number`);
    return value;
  });
}

/** Names out of a list, each of which must be one of those that there are, in the order of the list. @throws Error for another */
export function namesOf<Name extends string>(list: string, known: readonly Name[]): Name[] {
  return list.split(',').map(text => {
    const name = known.find(one => one === text);
    if (name === undefined) throw new Error(`there is no '${text}'; there are ${known.join(', ')}`);
    return name;
  });
}
