import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFixture } from '../../test/readFixture.ts';
import { loadTokenizer } from './loadTokenizer.ts';

const families = readFixture();
const gpt2 = families.gpt2!.tokenizer as Record<string, unknown>;
const model = gpt2.model as Record<string, unknown>;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dropbp-data-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('loadTokenizer', () => {
  it('reads a folder and names the special tokens of its configuration', async () => {
    await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(gpt2));
    await writeFile(
      join(folder, 'special_tokens_map.json'),
      JSON.stringify({ pad_token: '<unk>', eos_token: '<unk>' }),
    );
    const config = { bos_token: null, eos_token: { content: '<|end|>', lstrip: false } };
    await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify(config));
    const tokenizer = await loadTokenizer(folder);
    expect(tokenizer.eosToken).toEqual({ id: 2, text: '<|end|>' });
    expect(tokenizer.padToken).toEqual({ id: 0, text: '<unk>' });
    expect(tokenizer.bosToken).toBeUndefined();
    expect(tokenizer.idOf('<s>')).toBe(1);
    expect(tokenizer.idOf('no such token')).toBeUndefined();
  });
  it('counts added tokens in the size of the vocabulary', async () => {
    const tokenizer = await loadTokenizer({ tokenizer: gpt2 });
    expect(tokenizer.vocabSize).toBe(801);
    expect(tokenizer.idOf('[mask]')).toBe(800);
  });
  it('decodes no tokens, and ids beyond the vocabulary, to nothing', async () => {
    const tokenizer = await loadTokenizer({ tokenizer: gpt2 });
    expect(tokenizer.decode([])).toBe('');
    expect(tokenizer.decode([99_999])).toBe('');
    expect(tokenizer.encode('')).toEqual([]);
  });
  it('reads a file whose model has no type', async () => {
    const untyped = Object.fromEntries(Object.entries(model).filter(([key]) => key !== 'type'));
    const tokenizer = await loadTokenizer({ tokenizer: { ...gpt2, model: untyped } });
    expect(tokenizer.encode('Hello')).toEqual((await loadTokenizer({ tokenizer: gpt2 })).encode('Hello'));
  });
  it('joins tokens with spaces where there is no decoder, as Python does', async () => {
    const tokenizer = await loadTokenizer({ tokenizer: { ...gpt2, decoder: null } });
    expect(tokenizer.decode([0, 1])).toBe('<unk> <s>');
  });
});

describe('what loadTokenizer refuses', () => {
  const load = (changes: object): Promise<unknown> => loadTokenizer({ tokenizer: { ...gpt2, ...changes } });
  it('a folder without a tokenizer', async () => {
    await expect(loadTokenizer(join(folder, 'none'))).rejects.toThrow(
      /none holds no tokenizer.json; expected the folder of a model: for one on the hub, what findModelFolder\(\)/,
    );
  });
  it('a file that is no JSON', async () => {
    await writeFile(join(folder, 'tokenizer.json'), '{');
    await expect(loadTokenizer(folder)).rejects.toThrow(/tokenizer.json is no JSON/);
  });
  it('something else than a tokenizer', async () => {
    await expect(loadTokenizer({ tokenizer: { a: 1 } })).rejects.toThrow(
      '[@dropbp/data] the tokenizer is no tokenizer.json; got ["a"]; expected an object with a model and its vocabulary.',
    );
    await expect(loadTokenizer({ tokenizer: [] })).rejects.toThrow('got "an array"');
  });
  it('parts that are not known to be exact', async () => {
    await expect(load({ model: { ...model, type: 'Unigram' } })).rejects.toThrow(
      '[@dropbp/data] the tokenizer has a model that is not supported; got "Unigram"; expected one of BPE, WordPiece.',
    );
    await expect(load({ model: { ...model, dropout: 0.1 } })).rejects.toThrow('model.dropout that is not supported');
    await expect(load({ normalizer: { type: 'Lowercase' } })).rejects.toThrow(/normalizer that is not supported/);
    const nested = { type: 'Sequence', pretokenizers: [{ type: 'Whitespace' }] };
    await expect(load({ pre_tokenizer: nested })).rejects.toThrow(
      /pre_tokenizer that is not supported; got "Whitespace"/,
    );
    await expect(load({ decoder: { type: 'CTC' } })).rejects.toThrow(/decoder that is not supported; got "CTC"/);
    const split = { type: 'Split', pattern: { String: ' ' }, behavior: 'MergedWithNext', invert: false };
    await expect(load({ pre_tokenizer: split })).rejects.toThrow(/Split with behavior that is not supported/);
    const regex = { type: 'Replace', pattern: { Regex: 'a' }, content: 'b' };
    await expect(load({ decoder: regex })).rejects.toThrow(/Replace decoder with pattern/);
    const word = { id: 3, content: 'x', special: false, single_word: true, lstrip: false, rstrip: false, normalized: false }; // prettier-ignore
    await expect(load({ added_tokens: [word] })).rejects.toThrow(/added token with single_word/);
    await expect(load({ added_tokens: [{ id: 3 }] })).rejects.toThrow(
      /added_tokens\[0\] that is not usable; got \["id"\]/,
    );
  });
  it('a special token that is no token', async () => {
    await expect(loadTokenizer({ tokenizer: gpt2, config: { eos_token: '<eos>' } })).rejects.toThrow(
      'the eos_token of tokenizer_config.json is not in the vocabulary; got "<eos>"',
    );
  });
  it('ids that are no list', async () => {
    const tokenizer = await loadTokenizer({ tokenizer: gpt2 });
    for (const ids of [5, '12', undefined, Promise.resolve([1])]) {
      expect(() => tokenizer.decode(ids as unknown as number[])).toThrow(
        /decode\(\): the ids is not usable; got .+; expected a list of token ids/,
      );
    }
  });
  it('a file in place of a folder, and a configuration that is none', async () => {
    const file = join(folder, 'file');
    await writeFile(file, '');
    await expect(loadTokenizer(file)).rejects.toThrow(/file is a file; expected the folder of a model/);
    await expect(loadTokenizer({ tokenizer: gpt2, config: null as unknown as object })).rejects.toThrow(
      'config is not usable; got null; expected what tokenizer_config.json holds',
    );
  });
  it('options that it does not know', async () => {
    const tokenizer = await loadTokenizer({ tokenizer: gpt2 });
    expect(() => tokenizer.encode('a', { addSpecialToken: false } as object)).toThrow(
      "did you mean 'addSpecialTokens'?",
    );
    expect(() => tokenizer.decode([1], { skipSpecial: true } as object)).toThrow(/does not know the option/);
  });
});
