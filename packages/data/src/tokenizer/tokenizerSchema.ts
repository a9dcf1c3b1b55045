import { isObject } from '@dropbp/basics';

/** What is wrong with a value, and where; undefined where it is as it should be. */
export type Fault = { readonly path: string; readonly got: unknown; readonly expected: string } | undefined;

/** Looks for what is wrong with a value. */
type Check = (value: unknown, path: string) => Fault;

const is =
  (expected: string, accepts: (value: unknown) => boolean): Check =>
  (value, path) =>
    accepts(value) ? undefined : { path, got: value, expected };

/** Ids beyond this are of no vocabulary, and would only take memory. */
const MAX_ID = 2 ** 24;

const text = is('a text', value => typeof value === 'string');
const flag = is('true or false', value => typeof value === 'boolean');
const index = is('an integer ≥ 0', value => Number.isSafeInteger(value) && (value as number) >= 0);
const id = is(`an id: an integer from 0 to ${MAX_ID}`, value => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_ID && !Object.is(value, -0)); // prettier-ignore
const character = is('one character', value => typeof value === 'string' && Array.from(value).length === 1);
const oneOf = (...known: string[]): Check => is(`one of ${known.join(', ')}`, value => known.includes(value as string));
const orNull =
  (check: Check): Check =>
  (value, path) =>
    value === null ? undefined : check(value, path);
const listOf =
  (check: Check): Check =>
  (value, path) => {
    if (!Array.isArray(value)) return { path, got: value, expected: 'a list' };
    for (const [i, item] of value.entries()) {
      const fault = check(item, `${path}[${i}]`);
      if (fault) return fault;
    }
    return undefined;
  };
const mapOf =
  (check: Check): Check =>
  (value, path) => {
    if (!isObject(value)) return { path, got: value, expected: 'an object' };
    for (const [key, item] of Object.entries(value)) {
      const fault = check(item, `${path}.${key.slice(0, 40)}`);
      if (fault) return fault;
    }
    return undefined;
  };

/** An object with these keys, some of which may be missing, and no other. */
const objectOf =
  (needed: Readonly<Record<string, Check>>, optional: Readonly<Record<string, Check>> = {}): Check =>
  (value, path) => {
    if (!isObject(value)) return { path, got: value, expected: 'an object' };
    const missing = Object.keys(needed).find(key => !Object.hasOwn(value, key));
    if (missing !== undefined) return { path, got: Object.keys(value), expected: `the key ${missing}` };
    for (const [key, item] of Object.entries(value)) {
      const check = Object.hasOwn(needed, key)
        ? needed[key]!
        : Object.hasOwn(optional, key)
          ? optional[key]!
          : undefined;
      const known = Object.keys({ ...needed, ...optional }).join(', ');
      if (check === undefined) return { path: `${path}.${key.slice(0, 40)}`, got: item, expected: `no such key: known are ${known}` }; // prettier-ignore
      const fault = check(item, `${path}.${key}`);
      if (fault) return fault;
    }
    return undefined;
  };

const type = { type: text };
const bytes = objectOf({ ...type, add_prefix_space: flag, trim_offsets: flag }, { use_regex: flag });
const pattern: Check = (value, path) => {
  const [key, ...more] = isObject(value) ? Object.keys(value) : [];
  if ((key !== 'String' && key !== 'Regex') || more.length > 0) return { path, got: value, expected: '{ "String": … } or { "Regex": … }' }; // prettier-ignore
  return is('a text that is not empty', own => typeof own === 'string' && own !== '')((value as Record<string, unknown>)[key], `${path}.${key}`); // prettier-ignore
};
const metaspace = objectOf(
  { ...type, replacement: character },
  { prepend_scheme: oneOf('first', 'never', 'always'), split: flag, add_prefix_space: flag, str_rep: text },
);
const replace = objectOf({ ...type, pattern, content: text });
const bare = objectOf(type);
const piece: Check = (value, path) => {
  const [key, ...more] = isObject(value) ? Object.keys(value) : [];
  if (more.length > 0 || (key !== 'Sequence' && key !== 'SpecialToken')) return { path, got: value, expected: '{ "Sequence": … } or { "SpecialToken": … }' }; // prettier-ignore
  const name = key === 'Sequence' ? oneOf('A', 'B') : text;
  return objectOf({ id: name, type_id: id })((value as Record<string, unknown>)[key], `${path}.${key}`);
};
const specialToken: Check = (value, path) => {
  const fault = objectOf({ id: text, ids: listOf(id), tokens: listOf(text) })(value, path);
  if (fault !== undefined) return fault;
  const { ids, tokens } = value as { ids: readonly unknown[]; tokens: readonly unknown[] };
  return ids.length === tokens.length ? undefined : { path, got: value, expected: 'as many ids as tokens' };
};

const tokenAndId = is('a token and its id', value => Array.isArray(value) && value.length === 2 && typeof value[0] === 'string' && id(value[1], '') === undefined); // prettier-ignore
const around = { cls: tokenAndId, sep: tokenAndId };

/** The parts of each stage that are supported, and what each holds. A `Sequence` of them is one too. */
export const components: Readonly<Record<string, { readonly parts: string; readonly types: Readonly<Record<string, Check>> }>> = {
  normalizer: {
    parts: 'normalizers',
    types: {
      BertNormalizer: objectOf({ ...type, clean_text: flag, handle_chinese_chars: flag, lowercase: flag }, { strip_accents: orNull(flag) }),
      Lowercase: bare,
      NFC: bare,
      NFD: bare,
      NFKC: bare,
      NFKD: bare,
      Prepend: objectOf({ ...type, prepend: text }),
      Replace: replace,
    },
  },
  pre_tokenizer: {
    parts: 'pretokenizers',
    types: {
      BertPreTokenizer: bare,
      ByteLevel: bytes,
      Digits: objectOf({ ...type, individual_digits: flag }),
      Metaspace: metaspace,
      Split: objectOf({ ...type, pattern, behavior: oneOf('Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'), invert: flag }), // prettier-ignore
    },
  },
  post_processor: {
    parts: 'processors',
    types: {
      BertProcessing: objectOf({ ...type, ...around }),
      ByteLevel: bytes,
      RobertaProcessing: objectOf({ ...type, ...around, trim_offsets: flag, add_prefix_space: flag }),
      TemplateProcessing: objectOf({ ...type, single: listOf(piece), pair: listOf(piece), special_tokens: mapOf(specialToken) }),
    },
  },
  decoder: {
    parts: 'decoders',
    types: {
      ByteLevel: bytes,
      ByteFallback: bare,
      Fuse: bare,
      Metaspace: metaspace,
      Replace: replace,
      Strip: objectOf({ ...type, content: character, start: index, stop: index }),
      WordPiece: objectOf({ ...type, prefix: text, cleanup: flag }),
    },
  },
}; // prettier-ignore

const merge = (value: unknown, path: string): Fault =>
  is('two tokens, as "a b" or ["a", "b"]', own =>
    typeof own === 'string' ? own.split(' ').length === 2 : Array.isArray(own) && own.length === 2 && own.every(part => typeof part === 'string'),
  )(value, path); // prettier-ignore

/** The longest word in characters: pieces of a word are looked for in time that grows with its square, and more. */
const MAX_WORD = 200;

/** The kinds of models that are supported, with their keys. Where a kind goes with some parts of a stage, `parts` lists them. */
export const modelKinds: Readonly<Record<string, { readonly keys: Check; readonly unsupportedKeys: readonly string[]; readonly parts: Readonly<Record<string, readonly string[]>> }>> = {
  BPE: {
    keys: objectOf(
      { vocab: mapOf(id), merges: listOf(merge) },
      {
        type: text,
        dropout: orNull(is('a number from 0 to 1', value => typeof value === 'number' && value >= 0 && value <= 1)),
        unk_token: orNull(text),
        continuing_subword_prefix: orNull(text),
        end_of_word_suffix: orNull(text),
        fuse_unk: orNull(flag),
        byte_fallback: orNull(flag),
        ignore_merges: orNull(flag),
      },
    ),
    unsupportedKeys: ['dropout', 'continuing_subword_prefix', 'end_of_word_suffix'],
    parts: {
      normalizer: ['NFC', 'NFD', 'NFKC', 'NFKD', 'Prepend', 'Replace'],
      pre_tokenizer: ['ByteLevel', 'Digits', 'Metaspace', 'Split'],
    },
  },
  WordPiece: {
    keys: objectOf({
      ...type,
      vocab: mapOf(id),
      unk_token: text,
      continuing_subword_prefix: text,
      max_input_chars_per_word: is(`an integer from 0 to ${MAX_WORD}`, value => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_WORD && !Object.is(value, -0)),
    }),
    unsupportedKeys: [],
    parts: {
      normalizer: ['BertNormalizer', 'Lowercase', 'NFC', 'NFD', 'NFKC', 'NFKD', 'Replace'],
      pre_tokenizer: ['BertPreTokenizer', 'Digits', 'Split'],
    },
  },
}; // prettier-ignore

/** The keys of a `tokenizer.json`; those of its stages are looked at one by one. */
export const tokenizerKeys: Check = objectOf(
  {
    model: () => undefined,
  },
  {
    version: oneOf('1.0'),
    truncation: orNull(
      objectOf(
        { max_length: index, strategy: oneOf('LongestFirst', 'OnlyFirst', 'OnlySecond'), stride: index },
        { direction: oneOf('Left', 'Right') },
      ),
    ),
    padding: orNull(
      objectOf(
        {
          strategy: (value, path) => (value === 'BatchLongest' ? undefined : objectOf({ Fixed: index })(value, path)),
          direction: oneOf('Left', 'Right'),
          pad_id: id,
          pad_type_id: id,
          pad_token: text,
        },
        { pad_to_multiple_of: orNull(index) },
      ),
    ),
    added_tokens: listOf(
      objectOf({
        id,
        content: is('a text that is not empty', value => typeof value === 'string' && value !== ''),
        single_word: flag,
        lstrip: flag,
        rstrip: flag,
        normalized: flag,
        special: flag,
      }),
    ),
    normalizer: () => undefined,
    pre_tokenizer: () => undefined,
    post_processor: () => undefined,
    decoder: () => undefined,
  },
);
