import { checkOptions, errorCode, nodeModule, problem, readTextIfThere } from '@dropbp/basics';
import { checkModelSource } from '../text/checkModelSource.ts';
import { readProblem } from '../text/readProblem.ts';
import { readTokenizerConfig } from '../tokenizer/readTokenizerConfig.ts';
import type { ChatTemplate } from './chatTemplate.ts';
import { makeChatTemplate } from './makeChatTemplate.ts';

/** A model's chat templates, read. */
export interface ChatTemplateFiles {
  /** What `tokenizer_config.json` holds: templates, and the special tokens that they name. */
  readonly config?: object;
  /** What `chat_template.jinja` holds; it counts more than the one in the configuration. */
  readonly template?: string;
  /** What the files in `additional_chat_templates` hold, by their names without `.jinja`. */
  readonly additional?: Readonly<Record<string, string>>;
  /** Not read: it is here so that what `ggufTokenizer` of @dropbp/models gives can be passed as it is. */
  readonly tokenizer?: object;
}

/** Options of {@link loadChatTemplate}. */
export interface LoadChatTemplateOptions {
  /** Which of several templates is taken. @defaultValue `'default'`, and `'tool_use'` for conversations with tools */
  readonly name?: string;
  /**
   * The date that templates write which ask for it (Llama 3.1 and later do). Pass the date of the first start to a run that
   * goes on another day, or its conversations will differ. @defaultValue now
   */
  readonly date?: Date;
}

/**
 * Loads a model's chat template: `chat_template.jinja`, or `chat_template` in `tokenizer_config.json`, which may also be a
 * list of named ones.
 *
 * @param source - the model's folder, or what the files hold where there is no file system; of a GGUF file, what
 * `ggufTokenizer` of @dropbp/models gives
 * @returns undefined where the model has none
 * @throws Problem if a file is damaged, or the template is none
 *
 * @example
 * ```ts
 * const template = await loadChatTemplate('models/smollm2');
 * template?.render([{ role: 'user', content: 'Hello' }], { addGenerationPrompt: true });
 * ```
 */
export async function loadChatTemplate(
  source: string | ChatTemplateFiles,
  options: LoadChatTemplateOptions = {},
): Promise<ChatTemplate | undefined> {
  checkOptions('data', 'loadChatTemplate()', options, ['name', 'date']);
  await checkModelSource(source, 'loadChatTemplate');
  const files = typeof source === 'string' ? await readFolder(source) : source;
  checkOptions('data', 'loadChatTemplate()', files, ['config', 'template', 'additional', 'tokenizer']);
  const { config = {} } = files;
  const templates = templatesOf(files);
  if (templates.size === 0) return undefined;
  const wanted = options.name ?? 'default';
  const template =
    templates.get(wanted) ??
    (options.name === undefined && templates.size === 1 ? [...templates.values()][0] : undefined);
  if (template === undefined) {
    throw problem('data', {
      what: `the model has no chat template named '${wanted}'`,
      expected: [...templates.keys()].join(', '),
    });
  }
  const withTools = options.name === undefined ? templates.get('tool_use') : undefined;
  return makeChatTemplate(template, { config, date: options.date ?? new Date(), withTools });
}

function templatesOf({ config = {}, template, additional = {} }: ChatTemplateFiles): Map<string, string> {
  const templates = new Map<string, string>();
  const own = (config as { chat_template?: unknown }).chat_template;
  if (typeof own === 'string') templates.set('default', own);
  else if (Array.isArray(own)) for (const entry of own) addNamed(templates, entry);
  else if (own !== undefined && own !== null) throw notUsable(own);
  if (template !== undefined) templates.set('default', template);
  for (const [name, text] of Object.entries(additional)) templates.set(name, text);
  return templates;
}

function addNamed(templates: Map<string, string>, entry: unknown): void {
  const { name, template } = (entry ?? {}) as { name?: unknown; template?: unknown };
  if (typeof name !== 'string' || typeof template !== 'string') throw notUsable(entry);
  templates.set(name, template);
}

function notUsable(got: unknown): Error {
  const expected = 'a template, or a list of { name, template }';
  return problem('data', { what: 'chat_template in tokenizer_config.json is not usable', got, expected });
}

/** The longest template of a known model has 20 kB. */
const MOST_TEMPLATE_BYTES = 2 ** 24;

async function readFolder(folder: string): Promise<ChatTemplateFiles> {
  const { readdir } = nodeModule('data', 'node:fs/promises');
  await readdir(folder).catch((cause: unknown) => {
    throw problem('data', {
      what: `there is no folder ${folder}`,
      expected: 'the folder of a model: for one on the hub, what findModelFolder() of @dropbp/models gives',
      cause,
    });
  });
  const more = `${folder}/additional_chat_templates`;
  const names = await readdir(more).catch((cause: unknown) => {
    if (errorCode(cause) === 'ENOENT') return [];
    throw readProblem(more, cause);
  });
  const additional: Record<string, string> = {};
  for (const name of names.filter(name => name.endsWith('.jinja'))) {
    additional[name.slice(0, -'.jinja'.length)] =
      (await readTextIfThere('data', `${more}/${name}`, MOST_TEMPLATE_BYTES)) ?? '';
  }
  const template = await readTextIfThere('data', `${folder}/chat_template.jinja`, MOST_TEMPLATE_BYTES);
  return { config: await readTokenizerConfig(folder), additional, ...(template !== undefined && { template }) };
}
