import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { findRepeatedKey } from '../src/tokenizer/findRepeatedKey.ts';
import { loadTokenizer } from '../src/index.ts';
import { readFixture, readWordPieces } from './readFixture.ts';

type Json = Record<string, unknown>;

/** A tokenizer of a family with one value put in at a path; `undefined` takes the key away. */
function changed(family: string, path: string, value: unknown): object {
  const copy = JSON.parse(JSON.stringify({ ...readFixture(), ...readWordPieces() }[family]!.tokenizer)) as Json;
  const keys = path.split('.');
  const last = keys.pop()!;
  const parent = keys.reduce((object, key) => object[key] as Json, copy);
  if (value === undefined) Reflect.deleteProperty(parent, last);
  else parent[last] = value;
  return copy;
}

describe('what Python refuses is refused', () => {
  it.each([
    ['gpt2', 'version', '2.0', 'version that is not usable'],
    ['gpt2', 'extra', 1, 'extra that is not usable'],
    ['gpt2', 'truncation', { max_length: 5 }, 'truncation that is not usable'],
    ['gpt2', 'truncation', { max_length: -1, strategy: 'OnlyFirst', stride: 0 }, 'truncation.max_length that is not usable; got -1'],
    ['gpt2', 'padding', 'a', 'padding that is not usable'],
    ['gpt2', 'model.vocab.a', null, 'model.vocab.a that is not usable; got null; expected an id'],
    ['gpt2', 'model.vocab.a', 1.5, 'model.vocab.a that is not usable; got 1.5'],
    ['gpt2', 'model.vocab.a', -1, 'model.vocab.a that is not usable; got -1'],
    ['gpt2', 'model.vocab.a', 1e300, 'model.vocab.a that is not usable'],
    ['gpt2', 'model.vocab.a', 5, 'two tokens with one id in model.vocab; got {'],
    ['gpt2', 'model.merges', undefined, 'expected the key merges'],
    ['gpt2', 'model.merges.0', 'a', 'model.merges[0] that is not usable; got "a"'],
    ['gpt2', 'model.merges.0', ['a', 5], 'model.merges[0] that is not usable'],
    ['gpt2', 'model.merges.0', ['zzz', 'a'], 'with a token that is not in the vocabulary; got "zzz"'],
    ['gpt2', 'model.dropout', 'a', 'model.dropout that is not usable'],
    ['gpt2', 'model.fuse_unk', 1, 'model.fuse_unk that is not usable'],
    ['gpt2', 'model.unk_token', 'zzz', 'model.unk_token that is not in the vocabulary'],
    ['gpt2', 'added_tokens.0.special', undefined, 'expected the key special'],
    ['gpt2', 'added_tokens.0.id', null, 'added_tokens[0].id that is not usable'],
    ['gpt2', 'added_tokens.3.id', 900, "gives the added token '[mask]' an id that Python's tokenizers does not give it; got 900; expected 800"],
    ['gpt2', 'added_tokens.3.content', '', 'added_tokens[3].content that is not usable'],
    ['gpt2', 'pre_tokenizer.add_prefix_space', undefined, 'expected the key add_prefix_space'],
    ['gpt2', 'pre_tokenizer.use_regex', 0, 'pre_tokenizer.use_regex that is not usable'],
    ['gpt2', 'pre_tokenizer', 5, 'pre_tokenizer that is not supported; got 5'],
    ['gpt2', 'pre_tokenizer.type', 'constructor', 'pre_tokenizer that is not supported'],
    ['gpt2', 'decoder', 'Fuse', 'decoder that is not supported'],
    ['smollm', 'pre_tokenizer.pretokenizers', {}, 'a list of at most 50 parts called pretokenizers'],
    ['llama2', 'normalizer.normalizers.1.pattern', undefined, 'expected the key pattern'],
    ['llama2', 'normalizer.normalizers.1.pattern', {}, 'normalizer.normalizers[1].pattern that is not usable; got {}'],
    ['llama2', 'normalizer.normalizers.1.pattern', { String: 5 }, 'pattern.String that is not usable; got 5'],
    ['llama2', 'normalizer.normalizers.1.pattern', { String: '' }, 'pattern.String that is not usable; got ""'],
    ['llama2', 'post_processor.single.0', { SpecialToken: { id: 5, type_id: 0 } }, 'post_processor.single[0].SpecialToken.id'],
    ['llama2', 'post_processor.single', [], 'a template that does not hold the text once; got []; expected one Sequence A'],
    ['llama2', 'post_processor.single', [{ Sequence: { id: 'B', type_id: 0 } }], 'a template that does not hold the text once; got ["B"]'],
    ['llama2', 'post_processor.single', Array(2).fill({ Sequence: { id: 'A', type_id: 0 } }), 'a template that does not hold the text once; got ["A","A"]'],
    ['llama2', 'post_processor.special_tokens', {}, 'a template with a token that it does not define'],
    ['llama2', 'decoder.decoders.3.content', '  ', 'decoder.decoders[3].content that is not usable; got "  "; expected one character'],
    ['llama2', 'decoder.decoders.3.start', -1, 'decoder.decoders[3].start that is not usable; got -1'],
    ['llama2-metaspace', 'pre_tokenizer', { type: 'Sequence', pretokenizers: [{ type: 'Digits', individual_digits: true }, { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first', split: false }] }, 'Metaspace behind another pre_tokenizer, with prepend_scheme that is not supported; got "first"'],
    ['llama2-metaspace', 'pre_tokenizer.prepend_scheme', 'sometimes', 'expected one of first, never, always'],
    ['bert-uncased', 'model.unk_token', undefined, 'model that is not usable; got ["type","continuing_subword_prefix","max_input_chars_per_word","vocab"]; expected the key unk_token'],
    ['bert-uncased', 'model.unk_token', 'zzz', 'model.unk_token that is not in the vocabulary'],
    ['bert-uncased', 'model.max_input_chars_per_word', 1000, 'model.max_input_chars_per_word that is not usable; got 1000; expected an integer from 0 to 200'],
    ['bert-uncased', 'model.merges', [], 'model.merges that is not usable'],
    ['bert-uncased', 'normalizer', { type: 'Sequence', normalizers: [{ type: 'Lowercase' }, { type: 'StripAccents' }] }, 'normalizer that is not supported; got "StripAccents"'],
    ['bert-uncased', 'normalizer', { type: 'Prepend', prepend: '▁' }, 'normalizer that is not supported; got "Prepend"; expected one of BertNormalizer'],
    ['bert-uncased', 'normalizer.lowercase', 1, 'normalizer.lowercase that is not usable; got 1'],
    ['bert-uncased', 'pre_tokenizer', { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first', split: true }, 'pre_tokenizer that is not supported; got "Metaspace"'],
    ['bert-uncased', 'decoder.prefix', 5, 'decoder.prefix that is not usable; got 5'],
    ['bert-uncased', 'post_processor.pair.0', { SpecialToken: { id: '[X]', type_id: 0 } }, 'a template with a token that it does not define; got "[X]"'],
    ['bert-uncased', 'post_processor.special_tokens.[SEP]', null, 'expected an object'],
    ['bert-cased', 'post_processor.sep', ['[SEP]', 5], "a template whose token '[SEP]' is not a single token with its own id"],
    ['bert-cased', 'post_processor', { type: 'Sequence', processors: Array(2).fill({ type: 'BertProcessing', sep: ['[SEP]', 3], cls: ['[CLS]', 2] }) }, 'has several templates; got 2; expected one at most'],
    ['gpt2', 'normalizer', { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, lowercase: true }, 'normalizer that is not supported; got "BertNormalizer"'],
    ['llama3', 'pre_tokenizer.pretokenizers.0.behavior', 'isolated', 'expected one of Removed, Isolated'],
  ])('%s: %s = %j', async (family, path, value, message) => {
    await expect(loadTokenizer({ tokenizer: changed(family, path, value) })).rejects.toThrow(message);
  });
}); // prettier-ignore

describe('pairs of texts', () => {
  it('are refused where one is not a text, or the template leaves one out', async () => {
    const tokenizer = await loadTokenizer({ tokenizer: readWordPieces()['bert-uncased']!.tokenizer });
    expect(() => tokenizer.encodePair!('a', undefined as unknown as string)).toThrow(
      'encodePair(): the second text is not usable',
    );
    expect(() => tokenizer.encodePair!(1 as unknown as string, 'a')).toThrow('the first text is not usable; got 1');
    expect(() => tokenizer.encodePair!('a', 'b', { addSpecial: true } as object)).toThrow('does not know the option');
    const first = [{ Sequence: { id: 'A', type_id: 0 } }];
    const short = await loadTokenizer({ tokenizer: changed('bert-uncased', 'post_processor.pair', first) });
    expect(short.encode('a')).toHaveLength(3);
    expect(() => short.encodePair!('a', 'b')).toThrow('does not hold each text of a pair once; got ["A"]');
  });
  it('follow one another without a template', async () => {
    const tokenizer = await loadTokenizer({ tokenizer: readFixture().gpt2!.tokenizer });
    const { ids, tokenTypes } = tokenizer.encodePair!('Hello', ' x');
    expect(ids).toEqual([...tokenizer.encode('Hello'), ...tokenizer.encode(' x')]);
    expect(tokenTypes).toEqual(ids.map((_, i) => Number(i >= tokenizer.encode('Hello').length)));
  });
});

it('an added token of which the normalizer leaves nothing is refused', async () => {
  const token = { id: 700, content: '\u0301', special: false, single_word: false, lstrip: false, rstrip: false, normalized: true }; // prettier-ignore
  const tokenizer = changed('bert-uncased', 'added_tokens', [token]);
  await expect(loadTokenizer({ tokenizer })).rejects.toThrow('an added token that the normalizer leaves nothing of');
});

it('a literal that splits and is removed leaves nothing behind', async () => {
  const split = { type: 'Split', pattern: { String: 'l.' }, behavior: 'Removed', invert: false };
  const tokenizer = await loadTokenizer({ tokenizer: changed('bert-uncased', 'pre_tokenizer', split) });
  expect(tokenizer.encode('al.b')).toEqual(tokenizer.encode('al.bl.'));
});

it('a dollar sign in what a normalizer puts in stands for itself', async () => {
  const json = changed('gpt2', 'normalizer', { type: 'Replace', pattern: { String: 'a' }, content: '$&' });
  const tokenizer = await loadTokenizer({ tokenizer: json });
  expect(tokenizer.decode(tokenizer.encode('cat'))).toBe('c$&t');
});

it.each(['fuse_unk', 'byte_fallback', 'ignore_merges'])('a %s of null is as one that is not there', async key => {
  await expect(loadTokenizer({ tokenizer: changed('gpt2', `model.${key}`, null) })).resolves.toBeDefined();
});

describe('a key that stands twice in an object of tokenizer.json', () => {
  const load = (change: (text: string) => string): Promise<unknown> => {
    const folder = mkdtempSync(join(tmpdir(), 'dropbp-twice-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'tokenizer.json'), change(JSON.stringify(readFixture().gpt2!.tokenizer)));
    return loadTokenizer(folder);
  };
  it.each([
    ['version', '{', '{"version" : "1.0",'],
    ['normalizer', '{', '{"normalizer":true,'],
    ['lstrip', '{"id":0', '{"lstrip":{"lstrip":[]},"id":0'],
    ['lstrip', '{"id":0', String.raw`{"\u006cstrip":false,"id":0`],
    ['trim_offsets', '"trim_offsets":', '"trim_offsets":"ByteLevel","trim_offsets":'],
    ['model', '"model":', '"model":{"vocab":{},"merges":[]},"model":'],
  ])('is refused: %s', async (key, from, to) => {
    await expect(load(text => text.replace(from, () => to))).rejects.toThrow(
      `has the key '${key}' twice in one object`,
    );
  });
  it.each([String.raw`\ud800`, String.raw`\uDC00`, String.raw`\\\ud800x`, String.raw`\ud83d\ud83d\ude00`])(
    'half a character is refused as well: %s',
    async half => {
      await expect(load(text => text.replace('<unk>', () => half))).rejects.toThrow('holds half a character');
    },
  );
  it.each([String.raw`\ud83d\ude00`, String.raw`\\ud800`])('a whole one is taken: %s', async whole => {
    await expect(load(text => text.replaceAll('<unk>', () => whole))).resolves.toBeDefined();
  });
  it('is not found in texts, lists, or what is like a key', async () => {
    const json = (value: unknown): string => JSON.stringify(value);
    const objects = [{ a: 'a', b: ['a', 'a', { a: { a: 'b"' } }], 'a"': ':', '\\': 'a' }, { a: 1 }];
    for (const value of objects) expect(findRepeatedKey(json(value), '')).toBeUndefined();
    expect(findRepeatedKey('[{"a":1,"b":{"a":[{"c":2, "c" :3}]}}]', '')).toBe('c');
    expect(findRepeatedKey('{"vocab":{"a":1,"a":2},"b":{"vocab":{"c":1,"c":1}}}', 'vocab')).toBeUndefined();
    expect(findRepeatedKey('{"vocab":{"a":1,"a":2},"b":1,"b":2}', 'vocab')).toBe('b');
    await expect(load(text => text)).resolves.toBeDefined();
  });
});

describe('expressions of strangers', () => {
  const split = (pattern: string): Promise<unknown> =>
    loadTokenizer({ tokenizer: changed('llama3', 'pre_tokenizer.pretokenizers.0.pattern', { Regex: pattern }) });
  it.each([
    '(a+)+b',
    '(a|a)*b',
    String.raw`\s*\s*\s*x`,
    'a+b',
    '(?=(a+)+b)a',
    '['.repeat(100_000),
    'a'.repeat(2_000_000),
    '(',
    'a**',
    '(?:a{99}){99}',
    String.raw`(a*)*\1`,
  ])(
    // prettier-ignore
    'are refused where they could take long: %.40s',
    async pattern => {
      await expect(split(pattern)).rejects.toThrow('a regular expression that is not known to take little time');
    },
  );
  it.each([String.raw`\s+`, String.raw`\p{N}`, 'a|b+', String.raw`[^\s]+`, String.raw` ?[\p{L}\p{M}]+|\d{1,3}`])(
    'are taken where they cannot: %s',
    async pattern => {
      await expect(split(pattern)).resolves.toBeDefined();
    },
  );
  it('make no text much longer', async () => {
    const replace = (from: string, to: string): object => ({ type: 'Replace', pattern: { String: from }, content: to });
    const normalizers = Array.from({ length: 10 }, () => replace('a', 'aaaa'));
    const tokenizer = changed('gpt2', 'normalizer', { type: 'Sequence', normalizers });
    await expect(loadTokenizer({ tokenizer })).rejects.toThrow(
      'a normalizer that makes texts too long; got "up to 1048576 times',
    );
  });
});
