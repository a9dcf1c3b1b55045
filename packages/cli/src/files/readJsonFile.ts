import { readFile } from 'node:fs/promises';
import { errorCode, problem } from '@dropbp/basics';

/**
 * The object in a JSON file.
 *
 * @throws Problem if it is not there or no JSON object; what the operating system says if it cannot be read
 */
export async function readJsonFile(path: string): Promise<Readonly<Record<string, unknown>>> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    if (errorCode(cause) !== 'ENOENT') throw cause;
    throw problem('cli', { what: `there is no file ${path}`, cause });
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw problem('cli', { what: `${path} is no JSON`, got: text.slice(0, 40), cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw problem('cli', { what: `${path} is not usable`, got: value, expected: 'a JSON object' });
}
