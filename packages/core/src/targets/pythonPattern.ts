import { problem } from '@dropbp/basics';
import { compilePattern, type Pattern } from './compilePattern.ts';
import { PatternError } from './parsePattern.ts';

/** Patterns that were read, by their text: each is asked about every module of a model. */
const read = new Map<string, Pattern>();
const MOST_READ = 1000;

/**
 * A regular expression of Python, as it stands in an adapter's configuration. Whoever wrote the file, it takes no more than
 * linear time for each module.
 *
 * @param packageName - the package that speaks
 * @param subject - where the expression stands, for messages: `'targetModules'`
 * @param frame - what is put around the expression, as PEFT does it. @defaultValue nothing
 * @throws Problem if it is none, or uses inline flags, atomic groups, conditions, possessive quantifiers or comments
 */
export function pythonPattern(
  packageName: string,
  subject: string,
  source: string,
  frame: (source: string) => string = own => own,
): Pattern {
  const refusing = <T>(run: () => T): T => {
    try {
      return run();
    } catch (cause) {
      if (!(cause instanceof PatternError || cause instanceof RangeError)) throw cause;
      throw problem(packageName, {
        what: `${subject} is no regular expression that can be used here (${cause instanceof PatternError ? cause.message : 'it is nested too deeply'})`,
        got: source,
        expected: 'one without inline flags, atomic groups and conditions',
        cause,
      });
    }
  };
  const framed = frame(source);
  let pattern = read.get(framed);
  if (pattern === undefined) {
    pattern = refusing(() => compilePattern(framed));
    if (read.size >= MOST_READ) read.clear();
    read.set(framed, pattern);
  }
  const { match, matchesWhole } = pattern;
  return { match: text => refusing(() => match(text)), matchesWhole: text => refusing(() => matchesWhole(text)) };
}
