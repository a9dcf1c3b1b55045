import { isObject, problem, readTextIfThere } from '@dropbp/basics';

/** What `tokenizer_config.json` of a folder holds, and below it `special_tokens_map.json`; empty where there are none. */
export async function readTokenizerConfig(folder: string): Promise<object> {
  const names = await readJsonObject(folder, 'special_tokens_map.json');
  const config = await readJsonObject(folder, 'tokenizer_config.json');
  return { ...names, ...config };
}

/**
 * An object in a JSON file; undefined where there is no such file.
 *
 * @param check - looks at the text of the file besides
 * @throws Problem if it is no JSON, or no object
 */
export async function readJsonObject(
  folder: string,
  name: string,
  check?: (text: string, path: string) => void,
): Promise<object | undefined> {
  const path = `${folder}/${name}`;
  const text = await readTextIfThere('data', path);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw problem('data', { what: `${path} is no JSON`, cause });
  }
  check?.(text, path);
  if (isObject(value)) return value;
  throw problem('data', { what: `${path} is not usable`, got: value, expected: 'an object' });
}
