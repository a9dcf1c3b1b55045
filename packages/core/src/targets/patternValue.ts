import { problem } from '@dropbp/basics';
import { pythonPattern } from './pythonPattern.ts';

/** Values for modules whose names match: keys are regular expressions for the end of a name, at a dot. */
export type Pattern = Readonly<Record<string, number>>;

/**
 * The value that a pattern gives a module, with the key that gave it; undefined where none matches.
 * PEFT takes the first key that matches but sorts them when it saves, so keys that disagree are refused.
 *
 * @param packageName - the package that speaks in errors
 * @param subject - the option's name, for messages: `'rankPattern'`
 * @throws Problem if several keys match and give different values
 */
export function patternValue(
  packageName: string,
  subject: string,
  pattern: Pattern,
  module: string,
): { readonly key: string; readonly value: number } | undefined {
  const entries = Object.entries(pattern);
  if (entries.length > MOST_KEYS) {
    throw problem(packageName, {
      what: `${subject} has too many keys`,
      got: entries.length,
      expected: `at most ${MOST_KEYS}`,
    });
  }
  const found = entries.filter(([key]) => matchesKey(packageName, subject, key, module));
  const [first] = found;
  if (first === undefined) return undefined;
  const other = found.find(([, value]) => value !== first[1]);
  if (other !== undefined) {
    throw problem(packageName, {
      what: `${subject} gives '${module}' two values`,
      got: Object.fromEntries([first, other]),
      fix: 'write the keys so that one matches: PEFT keeps no order of theirs',
    });
  }
  return { key: first[0], value: first[1] };
}

/** The most keys: a key is asked about every module. */
const MOST_KEYS = 10_000;

function matchesKey(packageName: string, subject: string, key: string, module: string): boolean {
  // A key without a special character is the end of a name, at a dot.
  if (/^\w*$/.test(key) && !module.includes('\n')) return module === key || module.endsWith(`.${key}`);
  return (
    pythonPattern(packageName, `a key of ${subject}`, key, source => `(.*\\.)?(${source})$`).match(module) !== undefined
  );
}
