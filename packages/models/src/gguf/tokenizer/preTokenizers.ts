import { isObject } from '@dropbp/basics';

/** How a tokenizer that llama.cpp knows by a name splits and encodes a text. */
export interface PreTokenizer {
  /** `pre_tokenizer` of a `tokenizer.json`. */
  readonly component: object;
  readonly normalizer: object | null;
  /** Whether a piece that is a token is one, whatever the merges say. */
  readonly ignoresMerges: boolean;
  /** Whether a text begins with the token for its start where the file says nothing. */
  readonly addsBos: boolean;
}

const byteLevel = (useRegex: boolean): object => ({
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: useRegex,
});
const sequence = (...pretokenizers: object[]): object => ({ type: 'Sequence', pretokenizers });
const split = (pattern: string): object =>
  sequence({ type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false }, byteLevel(false));

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const ENDS = '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';
const WORDS_AND_MARKS = (digits: string): string =>
  `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${ENDS}`;

const plain: PreTokenizer = { component: byteLevel(true), normalizer: null, ignoresMerges: false, addsBos: false };
const llama3: PreTokenizer = {
  component: split(WORDS_AND_MARKS('\\p{N}{1,3}')),
  normalizer: null,
  ignoresMerges: true,
  addsBos: true,
};

/**
 * By `tokenizer.ggml.pre`. A file holds the name alone; what it stands for is in the `tokenizer.json` of the models.
 *
 * Source: those of GPT-2, SmolLM, Llama 3, Smaug-Llama-3 and Qwen2; for the names, llama-vocab.cpp.
 */
export const preTokenizers: Readonly<Record<string, PreTokenizer>> = {
  'gpt-2': plain,
  smollm: { ...plain, component: sequence({ type: 'Digits', individual_digits: true }, byteLevel(true)) },
  'llama-bpe': llama3,
  llama3,
  'llama-v3': llama3,
  'smaug-bpe': { ...llama3, addsBos: false },
  qwen2: { ...plain, component: split(WORDS_AND_MARKS('\\p{N}')), normalizer: { type: 'NFC' } },
};

/**
 * The name that llama.cpp has for how a byte-level tokenizer splits a text; undefined where it has none that is known here. A
 * normaliser (NFC) is not compared, as llama.cpp has none.
 *
 * @param component - `pre_tokenizer` of a `tokenizer.json`
 * @param ignoresMerges - `model.ignore_merges` of it
 */
export function preTokenizerName(component: unknown, ignoresMerges: boolean): string | undefined {
  const text = splittingOf(component);
  return Object.entries(preTokenizers).find(
    ([, known]) => splittingOf(known.component) === text && known.ignoresMerges === ignoresMerges,
  )?.[0];
}

/** What decides how a text is split, in one spelling: older files leave out defaults. */
function splittingOf(component: unknown): string {
  return JSON.stringify(component, (_key, value: unknown) => {
    if (!isObject(value)) return value;
    const defaults = value.type === 'ByteLevel' ? { use_regex: true } : {};
    const parts = Object.entries({ ...defaults, ...value }).filter(([key]) => key !== 'trim_offsets');
    return Object.fromEntries(parts.sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
