import { problem } from '@dropbp/basics';
import { loadTokenizer, type Tokenizer } from '@dropbp/data';
import { preTokenizerName, type GgufField } from '@dropbp/models';
import type { TokenizerJson } from '../../source/tokenizerFiles.ts';
import { isSentencePiece, tokenScores } from './tokenScores.ts';
import { specialFields } from './specialFields.ts';

/** What a tokenizer is written for. */
export interface TokenizerTarget {
  /** Rows of the embedding: ids above the tokenizer's are filled up. */
  readonly vocabSize: number;
  /** The keys of the model's `config.json`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** `tokenizer.ggml.pre`, where the caller knows it. */
  readonly preTokenizer: string | undefined;
}

/** Kinds of tokens. Source: llama.h. */
const kinds = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 };

/** `tokenizer.json` as far as it is read here; `loadTokenizer()` has checked it. */
interface BpeTokenizer {
  readonly pre_tokenizer: unknown;
  readonly normalizer: unknown;
  readonly added_tokens?: readonly { readonly id: number; readonly content: string; readonly special: boolean }[];
  readonly model: {
    readonly vocab: Readonly<Record<string, number>>;
    readonly merges: readonly (string | readonly [string, string])[];
    readonly ignore_merges?: boolean | null;
    readonly byte_fallback?: boolean | null;
    readonly unk_token?: string | null;
  };
}

/**
 * The metadata of a tokenizer, its special tokens and its chat templates.
 *
 * Source: `gguf-py/gguf/vocab.py` and `convert_hf_to_gguf.py` of llama.cpp for the keys; llama-vocab.cpp for what it does with them.
 *
 * @throws Problem for a tokenizer that llama.cpp does not have, or whose way to split a text has no name that is known here
 */
export async function tokenizerFields(files: TokenizerJson, target: TokenizerTarget): Promise<Map<string, GgufField>> {
  const tokenizer = await loadTokenizer({ tokenizer: files.tokenizer, config: files.config });
  const json = files.tokenizer as unknown as BpeTokenizer;
  const merges = json.model.merges.map(merge => (typeof merge === 'string' ? merge : merge.join(' ')));
  const fields = new Map<string, GgufField>();
  const set = (key: string, field: GgufField): unknown => fields.set(`tokenizer.ggml.${key}`, field);
  const isPieces = isSentencePiece(json);
  set('model', isPieces ? 'llama' : 'gpt2');
  set('pre', target.preTokenizer ?? (isPieces ? 'default' : preOf(json)));
  const { tokens, types } = listTokens(json, tokenizer, target.vocabSize);
  set('tokens', { strings: tokens });
  if (isPieces) set('scores', { f32s: tokenScores(tokens, merges) });
  set('token_type', { i32s: types });
  if (!isPieces) set('merges', { strings: merges });
  if (isPieces) set('add_space_prefix', startsWithSpace(tokenizer));
  for (const [key, field] of specialFields(files, tokenizer, target.config)) set(key, field);
  for (const [name, template] of files.templates) {
    fields.set(name === 'default' ? 'tokenizer.chat_template' : `tokenizer.chat_template.${name}`, template);
  }
  const named = [...files.templates.keys()].filter(name => name !== 'default');
  if (named.length > 0) fields.set('tokenizer.chat_templates', { strings: named });
  return fields;
}

function preOf({ pre_tokenizer: component, model }: BpeTokenizer): string {
  const name = preTokenizerName(component, model.ignore_merges ?? false);
  if (name !== undefined) return name;
  throw problem('export', {
    what: 'tokenizer.json splits a text in a way that has no known name in llama.cpp (pre_tokenizer)',
    got: component,
    expected: 'the way of GPT-2, SmolLM, Llama 3 or Qwen2',
    fix: "give the name that llama.cpp has for it (preTokenizer: 'falcon'), or leave the tokenizer out (tokenizer: false)",
  });
}

function listTokens(
  { model, added_tokens: added = [] }: BpeTokenizer,
  { vocabSize }: Tokenizer,
  rows: number,
): { tokens: string[]; types: number[] } {
  if (vocabSize > rows) {
    throw problem('export', {
      what: 'the tokenizer has more tokens than the model has rows in its embedding',
      got: vocabSize,
      expected: `at most ${rows}`,
      fix: 'resize the embedding of the model first, or give the tokenizer that belongs to it',
    });
  }
  const tokens = Array.from({ length: rows }, (_, id) => `[PAD${id}]`);
  const types = Array.from({ length: rows }, () => kinds.unused);
  const isBytes = model.byte_fallback === true;
  for (const [content, id] of Object.entries(model.vocab)) {
    tokens[id] = content;
    types[id] = isBytes && /^<0x[\dA-F]{2}>$/.test(content) ? kinds.byte : kinds.normal;
    if (content === model.unk_token) types[id] = kinds.unknown;
  }
  for (const { id, content, special } of added) {
    tokens[id] = content;
    if (types[id] !== kinds.unknown) types[id] = special ? kinds.control : kinds.userDefined;
  }
  return { tokens, types };
}

/** Whether a text is encoded as if a space stood in front of it. */
function startsWithSpace(tokenizer: Tokenizer): boolean {
  const [first] = tokenizer.encode('a', { addSpecialTokens: false });
  return first !== undefined && first === tokenizer.idOf('▁a');
}
