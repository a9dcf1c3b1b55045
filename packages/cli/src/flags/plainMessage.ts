import type { Problem } from '@dropbp/basics';
import type { Flags } from './flag.ts';
import { flagName } from './flagName.ts';

/**
 * What a problem says, for whoever reads a terminal: without the package and the function that speak, and with options as flags
 * where it is a library that speaks, to which `--learning-rate` is `learningRate`.
 *
 * @param flags - of the command
 */
export function plainMessage(
  { package: packageName, message }: Pick<Problem, 'package' | 'message'>,
  flags: Flags = {},
): string {
  const text = message.replace(/^\[@dropbp\/[^\]]+\] /, '');
  // What is said here names flags already, and keys of files as they are in files.
  return packageName === 'cli' ? text : asFlags(text.replace(/^\w+\(\): /, ''), flags);
}

/** What libraries call otherwise than the command does. */
const saidOtherwise: readonly (readonly [said: RegExp, flag: string])[] = [
  [/\bdid you mean \['([^']*)'\]/g, 'did you mean $1, without slashes'],
  [/\bbadRows: 'skip'/g, '--skip-bad-rows'],
  [/\bcheckpointing: true to compose\(\)/g, '--checkpointing'],
  [/\bcalibration: false/g, '--no-calibration'],
  [/\bcalibration\.at\b/g, '--calibrate-at'],
  [/\bcalibration\.every\b/g, '--calibrate-every'],
  [/\bcalibration\.samples\b/g, '--calibrate-on'],
  [/\bschedule\.warmup\b/g, '--drop-warmup'],
  [/\bschedule\.ramp\b/g, '--drop-ramp'],
  [/\bschedule\.from\b/g, '--drop-from'],
  [/\brescale\.max\b/g, '--rescale-max'],
];

/** The columns of rows, as code names them. */
const columns = /\bcolumns: \{ ([^}]*) \}/g;

/** No part of a path or a longer name, no key within quotes, no noun behind an article. */
const alone = String.raw`(?<!\b(?:an?|the|its|this) )(?<![\w"'\`./-])`;

/** Several names in a row: `rate, timeSaved and memory`. */
const several = new RegExp(String.raw`${alone}[a-z]\w*(?:, [a-z]\w*)*,? (?:and|or) [a-z]\w*(?![\w"'\`(/-]|\.\w)`, 'g');

/** One name, no function, with a value where it has one: a text, a list, or a number that ends there. */
const one = new RegExp(
  String.raw`${alone}([a-z]\w*)(?![\w"'\`(/-]|\.\w)(?::? ('[^']*')|: (\[[^\]]*\]|[\d.e-]*\d(?=[.,;)]|$)))?`,
  'g',
);

function asFlags(text: string, flags: Flags): string {
  const keys = new Map(
    Object.entries(flags).flatMap(([key, { aliases = [] }]) => [key, ...aliases].map(name => [name, key])),
  );
  let said = text.replace(columns, (_, pairs: string) => `--columns ${pairs.replaceAll(/: '([^']*)'/g, '=$1').replaceAll(', ', ',')}`); // prettier-ignore
  for (const [other, flag] of saidOtherwise) said = said.replace(other, flag);
  said = said.replace(several, (list: string) => {
    const isOptions = list.split(/,? (?:and|or) |, /).every(name => keys.has(name));
    return isOptions ? list.replaceAll(/\w+/g, name => (keys.has(name) ? flagName(keys.get(name)!) : name)) : list;
  });
  return said.replace(
    one,
    (whole, name: string, word: string | undefined, value: string | undefined = word, at: number) => {
      const key = keys.get(name);
      // A name of one word, 'rank', may be no more than a word: not where it has a value, or what is said is said of it.
      const isOption = key !== undefined && (/[A-Z]/.test(name) || value !== undefined || isSubject(said, name, at));
      return isOption ? [flagName(key), ...(value === undefined ? [] : [plainValue(value)])].join(' ') : whole;
    },
  );
}

/** `['a', 'b']` → `a,b`. */
function plainValue(value: string): string {
  return value.replaceAll(/['[\]]/g, '').replaceAll(', ', ',');
}

function isSubject(text: string, name: string, at: number): boolean {
  const rest = text.slice(at + name.length, at + name.length + 24);
  const isRefused = at === 0 && /^ (?:is not usable|is unknown|(?:would have|has) no effect)\b/.test(rest);
  const isLeftOut = text.slice(0, at).endsWith('; leave out ') && /^[,.]/.test(rest);
  return isRefused || isLeftOut || (text.slice(0, at).endsWith('expected ') && rest.startsWith(' to be '));
}
