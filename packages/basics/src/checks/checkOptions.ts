import { nearNames } from './nearNames.ts';
import { problem } from './problem.ts';

/**
 * Refuses an options object that holds a key nobody reads, so that a misspelt option never passes in silence.
 *
 * @param packageName - the package that speaks, without its scope
 * @param subject - the function or file whose options they are: `'lora()'`
 * @param known - every key that is read
 * @throws Problem naming the key and those nearest to it; for what is no object
 */
export function checkOptions(packageName: string, subject: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) {
    throw problem(packageName, {
      what: `${subject} takes an object of options`,
      got: options,
      expected: `some of ${known.join(', ')}`,
    });
  }
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    const near = nearNames(key, known);
    throw problem(packageName, {
      what: `${subject} does not know the option '${key}'`,
      expected: `one of ${known.join(', ')}`,
      ...(near.length > 0 && { fix: `did you mean ${near.map(name => `'${name}'`).join(' or ')}?` }),
    });
  }
}
