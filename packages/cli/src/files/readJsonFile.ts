import { problem, readTextIfThere } from '@dropbp/basics';

type JsonObject = Readonly<Record<string, unknown>>;

/**
 * The object in a JSON file.
 *
 * @throws Problem if it is not there or no JSON object; what the operating system says if it cannot be read
 */
export async function readJsonFile(path: string): Promise<JsonObject> {
  const value = await readJsonIfThere(path);
  if (value !== undefined) return value;
  throw problem('cli', { what: `there is no file ${path}` });
}

/** The same; undefined where there is no such file. */
export async function readJsonIfThere(path: string): Promise<JsonObject | undefined> {
  const text = await readTextIfThere('cli', path);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw problem('cli', { what: `${path} is no JSON`, got: text.slice(0, 40), cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw problem('cli', { what: `${path} is not usable`, got: value, expected: 'a JSON object' });
}
