import { nearNames, problem } from '@dropbp/basics';
import { LineCounter, parseDocument, type Document } from 'yaml';
import { readText } from '@dropbp/data';
import type { Flags } from './flag.ts';

/**
 * The values of a configuration file: YAML, of which JSON is a part. Its keys are the flags' names in camelCase.
 *
 * @returns values by key, those alone that the file gives
 * @throws Problem with file and line for what is no YAML, an unknown key, or a value that its flag would not take
 */
export async function readConfigFile(path: string, flags: Flags): Promise<ReadonlyMap<string, unknown>> {
  const lines = new LineCounter();
  const document = documentOf(await readText(path), path, lines);
  const [error] = [...document.errors, ...document.warnings];
  if (error !== undefined) {
    const { line } = lines.linePos(error.pos[0]);
    throw problem('cli', { what: `${path}:${line} is no YAML`, got: error.message.split('\n')[0], cause: error });
  }
  const value = valueOf(document, path);
  if (value === null) return new Map();
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw problem('cli', { what: `${path} is not usable`, got: value, expected: 'keys with values' });
  }
  return takeValues(value, flags, path);
}

/** A configuration has some dozen lines. */
const MOST_CHARACTERS = 2 ** 20;

function documentOf(text: string, path: string, lineCounter: LineCounter): Document {
  if (text.length > MOST_CHARACTERS) {
    throw problem('cli', {
      what: `${path} is too long`,
      got: text.length,
      expected: `at most ${MOST_CHARACTERS} characters`,
    });
  }
  try {
    return parseDocument(text, { lineCounter, logLevel: 'error' });
  } catch (cause) {
    // The parser gives up where lists nest too deep.
    throw problem('cli', { what: `${path} is no YAML that can be read`, got: String(cause), cause });
  }
}

function valueOf(document: Document, path: string): unknown {
  try {
    return document.toJS();
  } catch (cause) {
    // Such as one that refers to itself more often than anyone would.
    const got = cause instanceof Error ? cause.message : cause;
    throw problem('cli', { what: `${path} is not usable`, got, cause });
  }
}

/**
 * Values that a file holds, checked as the flags check theirs.
 *
 * @param source - for messages
 * @throws Problem for an unknown key, or a value that its flag would not take
 */
export function takeValues(given: object, flags: Flags, source: string): ReadonlyMap<string, unknown> {
  const values = new Map<string, unknown>();
  const keys = new Map(
    Object.entries(flags).flatMap(([key, { aliases = [] }]) => [key, ...aliases].map(name => [name, key])),
  );
  for (const [name, value] of Object.entries(given)) {
    // What editors read to find the schema.
    if (name === '$schema') continue;
    const key = keys.get(name);
    if (key === undefined) throw unknownKey(name, [...keys.keys()], source);
    if (values.has(key))
      throw problem('cli', { what: `${source} gives '${key}' twice`, got: name, fix: 'give it once' });
    values.set(key, flags[key]!.take(value, `${source}: ${name}`));
  }
  return values;
}

function unknownKey(key: string, known: readonly string[], source: string): Error {
  const near = nearNames(key, known);
  return problem('cli', {
    what: `${source} has the key '${key}', which nothing reads`,
    ...(near.length > 0 && { fix: `did you mean ${near.join(' or ')}?` }),
  });
}
