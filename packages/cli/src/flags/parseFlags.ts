import { parseArgs } from 'node:util';
import { nearNames, problem } from '@dropbp/basics';
import type { Flags, FlagValues } from './flag.ts';
import { flagName } from './flagName.ts';
import { ownCommand } from '../terminal/ownCommand.ts';

/** What stands on a command's line, without the defaults. */
export interface GivenFlags {
  /** By key, values that were read. */
  readonly values: ReadonlyMap<string, unknown>;
  readonly positionals: readonly string[];
}

/**
 * Reads a command's flags: `--name value`, `--name=value`, `--switch`; after `--` everything is positional.
 *
 * @param command - for messages: `'dropbp train'`
 * @throws Problem naming the flag, and the near names of one that is unknown
 */
export function parseFlags(command: string, flags: Flags, args: readonly string[]): GivenFlags {
  const byName = new Map(
    Object.entries(flags).flatMap(([key, { aliases = [] }]) => [key, ...aliases].map(name => [flagName(name), key])),
  );
  const types = [...byName].map(([name, key]) => {
    const type = flags[key]!.placeholder === undefined ? ('boolean' as const) : ('string' as const);
    return [name.slice(2), { type }] as const;
  });
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(types),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });

  const values = new Map<string, unknown>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const name = token.rawName;
    const key = byName.get(name);
    if (key === undefined) throw unknown(command, name, [...byName.keys()]);
    const value = readValue(flags, key, token);
    const flag = flags[key]!;
    if (!values.has(key)) values.set(key, value);
    else if (flag.join !== undefined) values.set(key, flag.join([values.get(key), value]));
    else throw problem('cli', { what: `${name} is given twice`, fix: 'give it once' });
  }
  return { values, positionals };
}

/**
 * The values of all flags.
 *
 * @param layers - values by key, the first that has one wins; where none has, it is the flag's default
 * @throws Problem for a flag that is required and nowhere given
 */
export function completeFlags<F extends Flags>(flags: F, ...layers: ReadonlyMap<string, unknown>[]): FlagValues<F> {
  const values = Object.entries(flags).map(([key, flag]) => {
    const layer = layers.find(values => values.has(key));
    if (layer !== undefined) return [key, layer.get(key)];
    if (flag.isRequired !== true) return [key, flag.fallback];
    throw problem('cli', { what: `${flagName(key)} ${flag.placeholder ?? ''} is missing`, expected: flag.help });
  });
  return Object.fromEntries(values) as FlagValues<F>;
}

function readValue(
  flags: Flags,
  key: string,
  token: { rawName: string; value: string | undefined; inlineValue: boolean | undefined },
): unknown {
  const { rawName: name, value, inlineValue } = token;
  const flag = flags[key]!;
  if (flag.placeholder === undefined) {
    if (value !== undefined) throw problem('cli', { what: `${name} takes no value`, got: value });
    return flag.read('', name);
  }
  // A value that looks like a flag is nearly always a value that was forgotten.
  if (value === undefined || (inlineValue === false && value.startsWith('--'))) {
    throw problem('cli', {
      what: `${name} needs a value`,
      expected: `${name} ${flag.placeholder}`,
      ...(value !== undefined && { got: value, fix: `write ${name}=${value} if this is the value` }),
    });
  }
  return flag.read(value, name);
}

function unknown(command: string, name: string, known: readonly string[]): Error {
  // Without dashes: they would make any two flags alike.
  const bare = (flag: string): string => flag.replace(/^-+/, '');
  const near = nearNames(bare(name), [...known.map(bare), 'help']).map(word => `--${word}`);
  return problem('cli', {
    what: `there is no flag ${name}`,
    fix:
      near.length > 0
        ? `did you mean ${near.join(' or ')}?`
        : `see ${ownCommand(`${command.replace(/^dropbp /, '')} --help`)}`,
  });
}
