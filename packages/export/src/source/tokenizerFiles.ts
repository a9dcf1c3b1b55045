import { isObject, problem } from '@dropbp/basics';

/** The files of a tokenizer, parsed. Objects that are missing are empty. */
export interface TokenizerJson {
  /** `tokenizer.json`. */
  readonly tokenizer: Readonly<Record<string, unknown>>;
  /** `tokenizer_config.json`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** `generation_config.json`. */
  readonly generation: Readonly<Record<string, unknown>>;
  /** Chat templates (Jinja) by name; the one that is used without a name is `default`. */
  readonly templates: ReadonlyMap<string, string>;
}

/** @returns undefined where there is no `tokenizer.json`. @throws Problem for a file that is not JSON, or holds something else */
export function parseTokenizerFiles(files: ReadonlyMap<string, Uint8Array>): TokenizerJson | undefined {
  if (!files.has('tokenizer.json')) return undefined;
  const config = parseObject(files, 'tokenizer_config.json');
  return {
    tokenizer: parseObject(files, 'tokenizer.json'),
    config,
    generation: parseObject(files, 'generation_config.json'),
    templates: readTemplates(files.get('chat_template.jinja'), config.chat_template),
  };
}

function parseObject(files: ReadonlyMap<string, Uint8Array>, name: string): Readonly<Record<string, unknown>> {
  const bytes = files.get(name);
  if (bytes === undefined) return {};
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw problem('export', { what: `${name} is not JSON`, fix: 'fetch the file again', cause });
  }
  if (isObject(value)) return value;
  throw problem('export', { what: `${name} is not usable`, got: value, expected: 'a JSON object' });
}

/** A file of its own comes before the configuration, which holds one template or a list of `{ name, template }`. */
function readTemplates(file: Uint8Array | undefined, value: unknown): ReadonlyMap<string, string> {
  if (file !== undefined) return new Map([['default', new TextDecoder().decode(file)]]);
  if (value === undefined || value === null) return new Map();
  if (typeof value === 'string') return new Map([['default', value]]);
  const isNamed = (entry: unknown): entry is { name: string; template: string } =>
    isObject(entry) && typeof entry.name === 'string' && typeof entry.template === 'string';
  if (Array.isArray(value) && value.every(isNamed)) return new Map(value.map(({ name, template }) => [name, template]));
  throw problem('export', {
    what: 'tokenizer_config.json: chat_template is not usable',
    got: value,
    expected: 'a template, or a list of templates with names',
  });
}
