import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isObject, problem } from '@dropbp/basics';
import { findTokenHead, PEFT_PREFIX, type Model } from '@dropbp/core';
import { addTokens, loadTokenizer, readTokenizerFiles, type TokenizerFiles } from '@dropbp/data';
import { findModelFolder, ggufTokenizer, readGguf, resizeTokenEmbeddings } from '@dropbp/models';
import { openSafetensors } from '@dropbp/safetensors';
import type { Pretrained } from '@dropbp/setup';
import { exists } from '../files/exists.ts';
import type { ModelPlace } from './openModel.ts';

/** A model whose vocabulary has grown. */
export interface Grown {
  readonly opened: Pretrained;
  /** The tokenizer's files with the new tokens. */
  readonly files: TokenizerFiles;
  /** The ids of the new tokens. */
  readonly ids: readonly number[];
}

/**
 * Adds tokens to a model and its tokenizer.
 *
 * @param given - `a,b,c`, or a file with one token a line
 */
export async function growVocabulary(opened: Pretrained, place: ModelPlace, given: string): Promise<Grown> {
  const tokens = await readTokens(given);
  const files = addTokens(await tokenizerFilesOf(place), tokens);
  const tokenizer = await loadTokenizer(files);
  const model = enlarge(opened.model, tokenizer.vocabSize);
  return { opened: { ...opened, model, tokenizer }, files, ids: tokens.map(token => tokenizer.idOf(token)!) };
}

/**
 * Gives a model and its tokenizer the tokens that an adapter was trained with: see {@link modelForAdapter}.
 *
 * @returns the files of the adapter's tokenizer too, where it has more tokens than the model's
 */
export async function growForAdapter(
  opened: Pretrained,
  folder: string,
): Promise<{ readonly opened: Pretrained; readonly files?: TokenizerFiles }> {
  const files = await tokenizerOfAdapter(folder);
  const model = await modelForAdapter(opened.model, folder);
  if (files === undefined || sizeOf(files) <= opened.tokenizer.vocabSize) return { opened: { ...opened, model } };
  return { opened: { ...opened, model, tokenizer: await loadTokenizer(files) }, files };
}

/**
 * Gives a model the rows that an adapter was trained with: for the tokens of the tokenizer in the adapter's folder, and for the tables
 * that the adapter holds. A larger model takes the place of the one that was given.
 */
export async function modelForAdapter(model: Model, folder: string): Promise<Model> {
  const files = await tokenizerOfAdapter(folder);
  return enlarge(model, Math.max(await rowsOfTables(folder, model), files === undefined ? 0 : sizeOf(files)));
}

/** Writes what `loadTokenizer()` and transformers read. */
export async function writeTokenizer(folder: string, { tokenizer, config = {} }: TokenizerFiles): Promise<void> {
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer, undefined, 1));
  await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify(config, undefined, 1));
}

/** Copies the tokenizer of an adapter that has added tokens over that of a model that it was merged into. */
export async function copyTokenizer(adapter: string, model: string): Promise<void> {
  const [own, base] = await Promise.all([adapter, model].map(tokenizerOfAdapter));
  if (own === undefined || sizeOf(own) <= (base === undefined ? 0 : sizeOf(base))) return;
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'chat_template.jinja']) {
    const path = join(adapter, name);
    if (await exists(path)) await writeFile(join(model, name), await readFile(path));
  }
}

/** The larger model takes the place of the one that was opened. */
function enlarge(model: Model, tokens: number): Model {
  if (tokens <= model.vocabSize) return model;
  const larger = resizeTokenEmbeddings(model, tokens);
  model.dispose();
  return larger;
}

async function tokenizerOfAdapter(folder: string): Promise<TokenizerFiles | undefined> {
  return (await exists(join(folder, 'tokenizer.json'))) ? readTokenizerFiles(folder) : undefined;
}

/** One more than the largest id, of a tokenizer of any kind. */
function sizeOf({ tokenizer }: TokenizerFiles): number {
  const { added_tokens: added, model } = tokenizer as { readonly added_tokens?: unknown; readonly model?: unknown };
  const idOf = (token: unknown): number =>
    isObject(token) && Number.isSafeInteger(token.id) ? (token.id as number) : -1;
  const vocabulary = isObject(model) ? model.vocab : undefined;
  const own = Array.isArray(vocabulary) ? vocabulary.length : isObject(vocabulary) ? Object.keys(vocabulary).length : 0;
  return (Array.isArray(added) ? added.map(idOf) : []).reduce((most, id) => Math.max(most, id + 1), own);
}

const stored = ['', '.base_layer', '.token_adapter.base_layer'];

/** Rows of embedding or output layer in an adapter's file; 0 where it holds neither. */
async function rowsOfTables(folder: string, model: Model): Promise<number> {
  const file = await openSafetensors(join(folder, 'adapter_model.safetensors'));
  await file.close();
  const tables = [model.embedding, findTokenHead(model)?.path].filter(module => module !== undefined);
  const keys = tables.flatMap(module => stored.map(part => `${PEFT_PREFIX}${module}${part}.weight`));
  return Math.max(0, ...keys.map(key => file.tensors.get(key)?.shape[0] ?? 0));
}

async function tokenizerFilesOf({ source, revision }: ModelPlace): Promise<TokenizerFiles> {
  const info = await stat(source).catch(() => undefined);
  if (info?.isFile() === true) return ggufTokenizer(await readGguf(source));
  return readTokenizerFiles(await findModelFolder(source, revision === undefined ? {} : { revision }));
}

/** A vocabulary has room for some thousand more tokens at most. */
const MOST_BYTES = 2 ** 20;

async function readTokens(given: string): Promise<string[]> {
  const info = await stat(given).catch(() => undefined);
  if (info !== undefined && (!info.isFile() || info.size > MOST_BYTES)) {
    throw problem('cli', { what: `--add-tokens ${given} is not usable`, expected: 'tokens such as a,b,c, or a file with one token a line' }); // prettier-ignore
  }
  const text = info === undefined ? given.replaceAll(',', '\n') : await readFile(given, 'utf8');
  const tokens = text.split(/\r?\n/).filter(line => line !== '');
  if (tokens.length > 0) return tokens;
  throw problem('cli', { what: `--add-tokens ${given} names no token` });
}
