import * as huggingFace from '@huggingface/tokenizers';
import { checkOptions, checkValue, isObject, problem } from '@dropbp/basics';
import { checkModelSource } from '../text/checkModelSource.ts';
import { decodeTokens } from './decodeTokens.ts';
import { findRepeatedKey } from './findRepeatedKey.ts';
import { pythonSplits } from './pythonSplits.ts';
import { readJsonObject, readTokenizerConfig } from './readTokenizerConfig.ts';
import type { SpecialToken, Tokenizer } from './tokenizer.ts';
import { tokenLocator } from './tokenLocator.ts';
import { readTokenizerJson, type TokenizerJson } from './tokenizerJson.ts';

// The package's types name their files without an extension, so that TypeScript does not find them for Node.
const { Tokenizer: Encoder } = huggingFace as unknown as {
  Tokenizer: new (
    tokenizer: object,
    config: object,
  ) => { encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] } };
};

/** A tokenizer's files, parsed. */
export interface TokenizerFiles {
  /** What `tokenizer.json` holds. */
  readonly tokenizer: object;
  /** What `tokenizer_config.json` holds: it names the special tokens. @defaultValue none are named */
  readonly config?: object;
}

/**
 * Loads the tokenizer of a Hugging Face model: byte-pair encodings (GPT-2, Llama, Mistral, Qwen, SmolLM and their kin).
 * It gives the ids and the text that Python's `tokenizers` gives. Truncation and padding that the file asks for are left
 * to whoever makes batches.
 *
 * @param source - the model's folder (of a model on the hub, what `findModelFolder` of @dropbp/models gives), or the parsed files
 * where there is no file system, which `ggufTokenizer` of @dropbp/models makes of a GGUF file
 * @throws Problem if a file is missing or a part of the tokenizer is not supported
 *
 * @example
 * ```ts
 * const tokenizer = await loadTokenizer('models/austen-base');
 * tokenizer.decode(tokenizer.encode('It is a truth universally acknowledged'));
 * ```
 */
export async function loadTokenizer(source: string | TokenizerFiles): Promise<Tokenizer> {
  await checkModelSource(source, 'loadTokenizer');
  if (typeof source === 'string') {
    return makeTokenizer(await readTokenizerFiles(source), `${source}/tokenizer.json`);
  }
  checkOptions('data', 'loadTokenizer()', source, ['tokenizer', 'config']);
  return makeTokenizer(source, 'the tokenizer');
}

/** Reads a tokenizer's files in a folder (Node). @throws Problem if they are missing or no JSON */
export async function readTokenizerFiles(folder: string): Promise<TokenizerFiles> {
  const tokenizer = await readJsonObject(folder, 'tokenizer.json', refuseRepeatedKeys);
  if (tokenizer === undefined) {
    throw problem('data', {
      what: `${folder} holds no tokenizer.json`,
      expected: 'the folder of a model: for one on the hub, what findModelFolder() of @dropbp/models gives',
      fix: 'where a model has no such file, AutoTokenizer.from_pretrained(…).save_pretrained(…) writes it in Python',
    });
  }
  return { tokenizer, config: await readTokenizerConfig(folder) };
}

/** Python refuses most of such files, and takes one of the two values from others. */
function refuseRepeatedKeys(text: string, path: string): void {
  const key = findRepeatedKey(text, 'vocab');
  if (key === undefined) return;
  throw problem('data', {
    what: `${path} has the key '${key.slice(0, 100)}' twice in one object`,
    fix: 'leave one of them out',
  });
}

function makeTokenizer({ tokenizer, config = {} }: TokenizerFiles, source: string): Tokenizer {
  checkValue('data', 'config', config, isObject, 'what tokenizer_config.json holds');
  const json = readTokenizerJson(tokenizer, source);
  const decode = decodeTokens(json.decoder, source);
  const encoder = new Encoder({ ...json, pre_tokenizer: pythonSplits(json, source) }, {});
  const { idByToken, tokenById } = vocabulary(json);
  const locate = tokenLocator(json);
  const specialIds = new Set(json.added_tokens.filter(token => token.special).map(token => token.id));
  const named = (key: string): SpecialToken | undefined => specialToken(config, key, idByToken);
  const [bosToken, eosToken, padToken] = [named('bos_token'), named('eos_token'), named('pad_token')];
  return {
    vocabSize: tokenById.length,
    ...(bosToken && { bosToken }),
    ...(eosToken && { eosToken }),
    ...(padToken && { padToken }),
    encode(text, options = {}) {
      checkOptions('data', 'encode()', options, ['addSpecialTokens']);
      checkValue(
        'data',
        'encode(): the text',
        text,
        given => typeof given === 'string',
        'a string',
        'readText() needs an await',
      );
      return encoder.encode(text, { add_special_tokens: options.addSpecialTokens ?? true }).ids;
    },
    decode(ids, options = {}) {
      checkOptions('data', 'decode()', options, ['skipSpecialTokens']);
      checkValue(
        'data',
        'decode(): the ids',
        ids,
        isList,
        'a list of token ids',
        'a tensor needs an await: await ids.data()',
      );
      const tokens: string[] = [];
      for (const id of ids) {
        const token = tokenById[id];
        if (token !== undefined && !(options.skipSpecialTokens === true && specialIds.has(id))) tokens.push(token);
      }
      return decode(tokens).join('');
    },
    idOf: token => idByToken.get(token),
    locate: (text, ids) =>
      locate(
        text,
        Array.from(ids, id => tokenById[id]),
      ),
  };
}

function isList(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Symbol.iterator in value;
}

function vocabulary({ model, added_tokens }: TokenizerJson): {
  idByToken: Map<string, number>;
  tokenById: (string | undefined)[];
} {
  const idByToken = new Map(Object.entries(model.vocab));
  for (const { content, id } of added_tokens) idByToken.set(content, id);
  const tokenById: (string | undefined)[] = [];
  for (const [token, id] of idByToken) tokenById[id] = token;
  return { idByToken, tokenById };
}

function specialToken(config: object, key: string, ids: ReadonlyMap<string, number>): SpecialToken | undefined {
  const value = (config as Record<string, unknown>)[key];
  const text = typeof value === 'object' && value !== null ? (value as { content?: unknown }).content : value;
  if (typeof text !== 'string') return undefined;
  const id = ids.get(text);
  if (id !== undefined) return { id, text };
  throw problem('data', { what: `the ${key} of tokenizer_config.json is not in the vocabulary`, got: text });
}
