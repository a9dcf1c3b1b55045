import { nodeModule, Problem, problem, readTextIfThere } from '@dropbp/basics';
import {
  loadChatTemplate,
  loadTokenizer,
  type ChatTemplate,
  type ChatTemplateFiles,
  type LoadChatTemplateOptions,
  type Tokenizer,
} from '@dropbp/data';
import { findModelFolder, ggufTokenizer, readGguf, type HubOptions, type ModelSource } from '@dropbp/models';

/** What a model's files hold beside its weights. */
export interface Companions {
  readonly tokenizer: Tokenizer;
  readonly chatTemplate: ChatTemplate | undefined;
  /** Tokens that end an answer, as the files of this kind name them. */
  readonly endTokens: readonly number[];
}

/** @throws Problem if a file is missing or damaged */
export async function openCompanions(
  source: ModelSource,
  hub: HubOptions,
  chat: LoadChatTemplateOptions = {},
): Promise<Companions> {
  if (typeof source === 'string') {
    return (await isFile(source))
      ? ggufCompanions(source, chat)
      : folderCompanions(await findModelFolder(source, hub), chat);
  }
  if (source instanceof Blob) return ggufCompanions(source, chat);
  const blobs =
    source instanceof Map ? source : new Map([...(source as Iterable<File>)].map(file => [file.name, file]));
  const [only] = [...(blobs as ReadonlyMap<string, Blob>)];
  if (blobs.size === 1 && only !== undefined && /\.gguf$/i.test(only[0])) return ggufCompanions(only[1], chat);
  return blobCompanions(blobs as ReadonlyMap<string, Blob>, chat);
}

async function folderCompanions(folder: string, chat: LoadChatTemplateOptions): Promise<Companions> {
  const tokenizer = await loadTokenizer(folder);
  const generation = await readTextIfThere('setup', `${folder}/generation_config.json`);
  return { tokenizer, endTokens: endsIn(generation), chatTemplate: await templateOf(folder, chat) };
}

async function ggufCompanions(file: string | Blob, chat: LoadChatTemplateOptions): Promise<Companions> {
  const header = await readGguf(file);
  const files = ggufTokenizer(header);
  return {
    tokenizer: await loadTokenizer(files),
    // The end of a turn, where it is another token than the end of a text.
    endTokens: tokenIds(header.metadata.get('tokenizer.ggml.eot_token_id')),
    chatTemplate: await templateOf({ config: files.config }, chat),
  };
}

/** The files of a model as a browser has them. */
async function blobCompanions(blobs: ReadonlyMap<string, Blob>, chat: LoadChatTemplateOptions): Promise<Companions> {
  const text = async (name: string): Promise<string | undefined> => blobs.get(name)?.text();
  const tokenizer = parseObject('tokenizer.json', await text('tokenizer.json'));
  if (tokenizer === undefined) {
    throw problem('setup', {
      what: 'there is no tokenizer.json among the files',
      got: [...blobs.keys()].slice(0, 20),
      fix: 'give the file tokenizer.json of the model too, or load the model alone by loadModel()',
    });
  }
  const config = parseObject('tokenizer_config.json', await text('tokenizer_config.json')) ?? {};
  const template = await text('chat_template.jinja');
  return {
    tokenizer: await loadTokenizer({ tokenizer, config }),
    endTokens: endsIn(await text('generation_config.json')),
    chatTemplate: await templateOf({ config, ...(template !== undefined && { template }) }, chat),
  };
}

/** A template that cannot be used stops only whoever writes conversations: its error comes when it renders one. */
async function templateOf(
  files: string | ChatTemplateFiles,
  chat: LoadChatTemplateOptions,
): Promise<ChatTemplate | undefined> {
  try {
    return await loadChatTemplate(files, chat);
  } catch (error) {
    if (!(error instanceof Problem) || chat.name !== undefined) throw error;
    const render = (): never => {
      throw error;
    };
    return { source: '', marksAnswers: false, render, renderMarked: render };
  }
}

/** What transformers ends an answer at: chat models name the end of a turn in this file. */
function endsIn(generationConfig: string | undefined): number[] {
  return tokenIds(parseObject('generation_config.json', generationConfig)?.eos_token_id);
}

function parseObject(name: string, text: string | undefined): Record<string, unknown> | undefined {
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw problem('setup', { what: `${name} is not JSON`, got: text.slice(0, 40), fix: 'fetch the file again', cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw problem('setup', { what: `${name} is not usable`, got: value, expected: 'a JSON object' });
}

/** A token, several, or none. */
export function tokenIds(value: unknown): number[] {
  const values: unknown[] = Array.isArray(value) ? value : [value];
  return values.filter((id): id is number => Number.isInteger(id) && (id as number) >= 0);
}

async function isFile(path: string): Promise<boolean> {
  const facts = await nodeModule('setup', 'node:fs/promises')
    .stat(path)
    .catch(() => undefined);
  if (facts === undefined && /\.gguf$/i.test(path)) throw problem('setup', { what: `there is no file ${path}` });
  return facts?.isFile() === true;
}
