import { checkOptions, checkValue, isObject, problem } from '@dropbp/basics';
import { checkModelSource } from '../text/checkModelSource.ts';
import type { TokenizerJson } from './component.ts';
import { decodeTokens } from './decodeTokens.ts';
import { makeEncoder } from './encoder.ts';
import { findRepeatedKey } from './findRepeatedKey.ts';
import { textTemplate } from './python/textTemplate.ts';
import { readJsonObject, readTokenizerConfig } from './readTokenizerConfig.ts';
import type { EncodeOptions, SpecialToken, Tokenizer } from './tokenizer.ts';
import { tokenLocator } from './tokenLocator.ts';
import { readTokenizerJson } from './tokenizerJson.ts';

/** A tokenizer's files, parsed. */
export interface TokenizerFiles {
  /** What `tokenizer.json` holds. */
  readonly tokenizer: object;
  /** What `tokenizer_config.json` holds: it names the special tokens. @defaultValue none are named */
  readonly config?: object;
}

/**
 * Loads the tokenizer of a Hugging Face model: byte-pair encodings (GPT-2, Llama, Mistral, Qwen, SmolLM and their kin), and
 * WordPiece (BERT, MiniLM and their kin). It gives the ids and the text that Python's `tokenizers` gives. Truncation and padding that the file asks for are left
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
  const tokenizer = await readJsonObject(folder, 'tokenizer.json', refuseUnclear);
  if (tokenizer === undefined) {
    throw problem('data', {
      what: `${folder} holds no tokenizer.json`,
      expected: 'the folder of a model: for one on the hub, what findModelFolder() of @dropbp/models gives',
      fix: 'where a model has no such file, AutoTokenizer.from_pretrained(…).save_pretrained(…) writes it in Python',
    });
  }
  return { tokenizer, config: await readTokenizerConfig(folder) };
}

/** Half of a pair of escapes that stand for one character. */
const HALF_CHARACTER =
  /(?<!\\)(?:\\\\)*\\u(?:d[89ab][\da-f]{2}(?!\\ud[c-f])|(?<!\\ud[89ab][\da-f]{2}\\u)d[c-f][\da-f]{2})/i;

/** Python refuses half a character, and most files with a key twice. From others it takes one of the two values. */
function refuseUnclear(text: string, path: string): void {
  const half = HALF_CHARACTER.exec(text)?.[0];
  if (half !== undefined) {
    throw problem('data', { what: `${path} holds half a character`, got: half, expected: 'texts in Unicode' });
  }
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
  const encoding = makeEncoder(json, source);
  const template = textTemplate(json.post_processor, source);
  const { idByToken, tokenById } = vocabulary(json);
  const locate = tokenLocator(json);
  const special = new Set(json.added_tokens.filter(token => token.special).map(token => token.content));
  const shown = [...tokenById];
  for (const token of json.added_tokens) shown[token.id] = encoding.written(token);
  const named = (key: string): SpecialToken | undefined => specialToken(config, key, idByToken);
  const [bosToken, eosToken, padToken] = [named('bos_token'), named('eos_token'), named('pad_token')];
  return {
    vocabSize: tokenById.length,
    ...(bosToken && { bosToken }),
    ...(eosToken && { eosToken }),
    ...(padToken && { padToken }),
    encode(text, options = {}) {
      const withSpecial = readSpecial('encode()', options);
      checkText('encode(): the text', text);
      return template.single(encoding.encode(text), withSpecial);
    },
    encodePair(first, second, options = {}) {
      const withSpecial = readSpecial('encodePair()', options);
      checkText('encodePair(): the first text', first);
      checkText('encodePair(): the second text', second);
      return template.pair(encoding.encode(first), encoding.encode(second), withSpecial);
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
        const token = shown[id];
        if (token !== undefined && !(options.skipSpecialTokens === true && special.has(token))) tokens.push(token);
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

function readSpecial(subject: string, options: EncodeOptions): boolean {
  checkOptions('data', subject, options, ['addSpecialTokens']);
  return options.addSpecialTokens ?? true;
}

function checkText(name: string, text: unknown): void {
  checkValue('data', name, text, given => typeof given === 'string', 'a string', 'readText() needs an await');
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
