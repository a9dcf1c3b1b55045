import { Problem } from '@dropbp/basics';
import type { GgufHeader } from '../readGguf.ts';
import { tokenizerParts } from './tokenizerParts.ts';

/** The files of a tokenizer, parsed: what `loadTokenizer()` of @dropbp/data takes. */
export interface GgufTokenizer {
  /** What `tokenizer.json` would hold. */
  readonly tokenizer: object;
  /** What `tokenizer_config.json` would hold: the special tokens and the chat template. */
  readonly config: object;
}

/** Kinds of tokens. Source: llama.h. */
const kinds = { control: 3, userDefined: 4, unused: 5 };

/** The decoder, and what `tokenizers` writes for options that a model does not use. */
const decoder = { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true };
const model = { type: 'BPE', dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: false, byte_fallback: false }; // prettier-ignore

/**
 * Makes the tokenizer of a GGUF file: byte-level BPE (`tokenizer.ggml.model` is `gpt2`) that splits a text as GPT-2, SmolLM,
 * Llama 3 or Qwen2 does. Added tokens take no white space beside them, as a file does not say which do.
 *
 * @throws Problem for another tokenizer, by its name, and for a damaged one
 *
 * @example
 * ```ts
 * const tokenizer = await loadTokenizer(ggufTokenizer(await readGguf('model.gguf')));
 * ```
 */
export function ggufTokenizer(header: GgufHeader): GgufTokenizer {
  const parts = tokenizerParts(header);
  if (parts instanceof Problem) throw parts;
  const { tokens, types, merges, preTokenizer, special, addsBos, addsEos } = parts;
  const template = header.metadata.get('tokenizer.chat_template');
  const isAdded = (id: number): boolean => types[id] === kinds.control || types[id] === kinds.userDefined;
  const entries = tokens.map((content, id) => [content, id] as const);
  return {
    tokenizer: {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: entries
        .filter(([, id]) => isAdded(id))
        .map(([content, id]) => addedToken(content, id, types[id] === kinds.control)),
      normalizer: preTokenizer.normalizer,
      pre_tokenizer: preTokenizer.component,
      post_processor: aroundText(
        entries,
        addsBos ? special.bos_token : undefined,
        addsEos ? special.eos_token : undefined,
      ),
      decoder,
      model: {
        ...model,
        ignore_merges: preTokenizer.ignoresMerges,
        // Unused ones fill the vocabulary up to the model's.
        vocab: Object.fromEntries(entries.filter(([, id]) => types[id] !== kinds.unused)),
        merges,
      },
    },
    config: { ...special, ...(typeof template === 'string' && { chat_template: template }) },
  };
}

function addedToken(content: string, id: number, special: boolean): object {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special };
}

/** What puts tokens before and behind a text. */
function aroundText(entries: readonly (readonly [string, number])[], before?: string, behind?: string): object | null {
  const added = [before, behind].filter(token => token !== undefined);
  if (added.length === 0) return null;
  const special = (token: string | undefined): object[] =>
    token === undefined ? [] : [{ SpecialToken: { id: token, type_id: 0 } }];
  const text = (name: string): object[] => [
    ...special(before),
    { Sequence: { id: name, type_id: 0 } },
    ...special(behind),
  ];
  const ids = new Map(entries);
  return {
    type: 'TemplateProcessing',
    single: text('A'),
    pair: [...text('A'), ...text('B')],
    special_tokens: Object.fromEntries(
      added.map(token => [token, { id: token, ids: [ids.get(token)], tokens: [token] }]),
    ),
  };
}
