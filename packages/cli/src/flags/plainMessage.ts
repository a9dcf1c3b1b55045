import type { Problem } from '@dropbp/basics';
import type { Flags } from './flag.ts';
import { flagName } from './flagName.ts';

/**
 * What a problem says, for whoever reads a terminal: without the package that speaks, and with options as flags where it is a
 * library that speaks, to which `--learning-rate` is `learningRate`.
 *
 * @param flags - of the command
 */
export function plainMessage({ room, message }: Pick<Problem, 'room' | 'message'>, flags: Flags = {}): string {
  const text = message.replace(/^\[@dropbp\/[^\]]+\] /, '').replace(/\?\.$/, '?');
  // What is said here names flags already, and keys of files as they are in files.
  return room === 'cli' ? text : asFlags(text, flags);
}

/** What libraries call otherwise than the command does. */
const saidOtherwise: readonly (readonly [said: RegExp, flag: string])[] = [
  [/\bbadRows: 'skip'/g, '--skip-bad-rows'],
  [/\bcalibration: false/g, '--no-calibration'],
  [/\bcalibration\.at\b/g, '--calibrate-at'],
  [/\bcalibration\.every\b/g, '--calibrate-every'],
  [/\bcalibration\.samples\b/g, '--calibrate-on'],
  [/\bschedule\.warmup\b/g, '--drop-warmup'],
  [/\bschedule\.ramp\b/g, '--drop-ramp'],
  [/\bschedule\.from\b/g, '--drop-from'],
  [/\brescale\.max\b/g, '--rescale-max'],
];

/** A name that stands for itself: no part of a path or a longer name, no key within quotes, no function. */
const option = /(?<![\w"'`./-])([a-z]\w*)(?![\w"'`(/-]|\.\w)(?:: ('[^']*'|[\d.e-]*\d))?/g;

function asFlags(text: string, flags: Flags): string {
  const keys = new Map(
    Object.entries(flags).flatMap(([key, { aliases = [] }]) => [key, ...aliases].map(name => [name, key])),
  );
  let said = text.replace(/\bcolumns: \{ ([^}]*) \}/g, (_, pairs: string) => `--columns ${pairs.replaceAll(/: '([^']*)'(, )?/g, (_, column: string, next?: string) => `=${column}${next ? ',' : ''}`)}`); // prettier-ignore
  for (const [other, flag] of saidOtherwise) said = said.replace(other, flag);
  return said.replace(option, (whole, name: string, value: string | undefined, at: number) => {
    const key = keys.get(name);
    // A name of one word, 'rank', may be no more than a word: not where the message begins with it, or it has a value.
    const isOption = key !== undefined && (/[A-Z]/.test(name) || value !== undefined || isSubject(said, name, at));
    return isOption ? [flagName(key), ...(value === undefined ? [] : [value.replaceAll("'", '')])].join(' ') : whole;
  });
}

function isSubject(text: string, name: string, at: number): boolean {
  return at === 0 && / (?:is not usable|is unknown)\b/.test(text.slice(name.length, name.length + 16));
}
