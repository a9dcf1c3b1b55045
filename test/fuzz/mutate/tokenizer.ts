import { changesOf, decodeText, encodeText, type Draw, type Mutate } from './draw.ts';
import { mutateTree, parseJson, writeJson, type Dictionary, type Json } from './json.ts';

// The parts that a tokenizer.json is made of, whole ones of each sort, to be exchanged and then changed.

const patterns = [
  '{"String":" "}',
  '{"String":""}',
  '{"Regex":"\\\\s+"}',
  '{"Regex":"(a+)+$"}',
  '{"Regex":"(?i:\'s|\'t)|\\\\p{L}+|\\\\p{N}{1,3}"}',
  '{"Regex":"("}',
  '{"Regex":"(?<=a)b"}',
  '{"Regex":""}',
  '{}',
];
const normalizers = (draw: Draw): string[] => [
  ...['NFC', 'NFD', 'NFKC', 'NFKD', 'Lowercase', 'StripAccents', 'Nmt'].map(type => `{"type":"${type}"}`),
  '{"type":"Prepend","prepend":"▁"}',
  '{"type":"Strip","strip_left":true,"strip_right":false}',
  `{"type":"Replace","pattern":${draw.pick(patterns)},"content":"▁"}`,
  `{"type":"Replace","pattern":${draw.pick(patterns)},"content":"aaaaaaaa"}`,
  `{"type":"BertNormalizer","clean_text":${draw.chance(0.5)},"handle_chinese_chars":${draw.chance(0.5)},"strip_accents":${draw.pick(['null', 'true', 'false'])},"lowercase":${draw.chance(0.5)}}`,
  '{"type":"Precompiled","precompiled_charsmap":"AAAA"}',
];
const preTokenizers = (draw: Draw): string[] => [
  ...['Whitespace', 'WhitespaceSplit', 'BertPreTokenizer', 'UnicodeScripts'].map(type => `{"type":"${type}"}`),
  `{"type":"ByteLevel","add_prefix_space":${draw.chance(0.5)},"trim_offsets":true,"use_regex":${draw.chance(0.5)}}`,
  `{"type":"Metaspace","replacement":"▁","prepend_scheme":"${draw.pick(['always', 'never', 'first', 'x'])}","split":${draw.chance(0.5)}}`,
  `{"type":"Digits","individual_digits":${draw.chance(0.5)}}`,
  `{"type":"Punctuation","behavior":"${draw.pick(['Isolated', 'Removed', 'Contiguous', 'MergedWithNext', 'x'])}"}`,
  `{"type":"Split","pattern":${draw.pick(patterns)},"behavior":"${draw.pick(['Isolated', 'Removed', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'])}","invert":${draw.chance(0.5)}}`,
  '{"type":"CharDelimiterSplit","delimiter":"a"}',
  '{"type":"FixedLength","length":3}',
];
const decoders = (draw: Draw): string[] => [
  ...['ByteLevel', 'ByteFallback', 'Fuse'].map(type => `{"type":"${type}"}`),
  '{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}',
  `{"type":"Replace","pattern":${draw.pick(patterns)},"content":" "}`,
  '{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}',
  '{"type":"Strip","content":" ","start":1,"stop":0}',
  `{"type":"WordPiece","prefix":"${draw.pick(['##', '', 'a'])}","cleanup":${draw.chance(0.5)}}`,
  '{"type":"BPEDecoder","suffix":"</w>"}',
  '{"type":"CTC","pad_token":"<pad>","word_delimiter_token":"|","cleanup":true}',
];
const postProcessors = (): string[] => [
  '{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":false,"use_regex":true}',
  '{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<|end|>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}],"special_tokens":{"<|end|>":{"id":"<|end|>","ids":[0],"tokens":["<|end|>"]}}}',
  '{"type":"BertProcessing","sep":["<|end|>",0],"cls":["<|end|>",0]}',
  '{"type":"BertProcessing","sep":["[SEP]",3],"cls":["[CLS]",2]}',
  '{"type":"RobertaProcessing","sep":["[SEP]",3],"cls":["[CLS]",2],"trim_offsets":true,"add_prefix_space":true}',
  '{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A","type_id":3}},{"SpecialToken":{"id":"[SEP]","type_id":1}}],"pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":2}}],"special_tokens":{"[SEP]":{"id":"[SEP]","ids":[3],"tokens":["[SEP]"]}}}',
  '{"type":"RobertaProcessing","sep":["<|end|>",0],"cls":["<|end|>",0],"trim_offsets":true,"add_prefix_space":true}',
];
const slots = {
  normalizer: normalizers,
  pre_tokenizer: preTokenizers,
  decoder: decoders,
  post_processor: postProcessors,
};
const sequenceKeys = { normalizer: 'normalizers', pre_tokenizer: 'pretokenizers', decoder: 'decoders', post_processor: 'processors' }; // prettier-ignore

const dictionary: Dictionary = {
  keys: ['type', 'id', 'content', 'special', 'lstrip', 'normalized', 'single_word', 'pattern', 'Regex', 'String', 'vocab', 'merges', 'unk_token', 'byte_fallback', 'ignore_merges', 'fuse_unk', 'dropout', 'truncation', 'padding', 'prepend_scheme', 'add_prefix_space', 'max_input_chars_per_word', 'continuing_subword_prefix', 'lowercase', 'strip_accents', 'type_id', 'prefix'],
  values: ['"BPE"', '"WordPiece"', '"Unigram"', '"WordLevel"', '"ByteLevel"', '"Sequence"', '"a b"', '["a","b"]', '["a"]', '["zz","qq"]', '"zz qq"', '{"Regex":"."}', '{"String":"a"}', '"<|end|>"', '" "', '"▁"', '"##"', '"[SEP]"', '100'],
}; // prettier-ignore

/** Exchanges whole parts, then changes values of the tree. */
export const mutateTokenizer: Mutate = (input, draw) => {
  let root: Json;
  try {
    root = parseJson(decodeText(input));
  } catch {
    return input;
  }
  const tree = { root };
  if ('entries' in root && draw.chance(0.5)) {
    const slot = draw.pick(Object.keys(slots) as (keyof typeof slots)[]);
    const part = (): string => draw.pick(slots[slot](draw));
    const raw = draw.chance(0.6) ? part() : `{"type":"Sequence","${sequenceKeys[slot]}":[${part()},${part()}]}`;
    const entry = root.entries.find(([key]) => key === slot);
    if (entry) entry[1] = parseJson(raw);
    if (draw.chance(0.6)) return encodeText(writeJson(tree.root));
  }
  for (let i = changesOf(draw); i > 0; i--) mutatePart(tree, draw);
  return encodeText(writeJson(tree.root));
};

/** A change within one of the parts, so that vocabularies do not take nearly all of them. */
function mutatePart(tree: { root: Json }, draw: Draw): void {
  const { root } = tree;
  const parts = 'entries' in root ? root.entries.filter(([, value]) => !('raw' in value)) : [];
  if (parts.length === 0 || draw.chance(0.15)) {
    mutateTree(tree, draw, dictionary);
    return;
  }
  const part = draw.pick(parts);
  const inner = { root: part[1] };
  mutateTree(inner, draw, dictionary);
  part[1] = inner.root;
}
