import { problem } from './problem.ts';

/**
 * Refuses a value that is none of the accepted ones; for numbers, see {@link checkNumber}.
 *
 * @param packageName - the package that speaks, without its scope
 * @param name - what the error calls the value: that of the option
 * @param expected - what the error says was expected: `'true or false'`
 * @param fix - what the reader can do about it
 * @throws Problem naming the value and what was expected
 */
export function checkValue<T>(
  packageName: string,
  name: string,
  value: T,
  accepts: (value: T) => boolean,
  expected: string,
  fix?: string,
): void {
  if (accepts(value)) return;
  throw problem(packageName, {
    what: `${name} is not usable`,
    got: value,
    expected,
    ...(fix !== undefined && { fix }),
  });
}

/** Whether a value, such as one that was parsed from JSON, is an object with names and no list. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
