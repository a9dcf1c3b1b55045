import { describe, expect, it } from 'vitest';
import { readFixture } from '../../test/readFixture.ts';
import { loadTokenizer } from './loadTokenizer.ts';

const bytes = new TextEncoder();
const text = new TextDecoder();

describe.each(Object.entries(readFixture()))('locate of %s', (_, { tokenizer: json, cases }) => {
  it('finds tokens one behind the other, over the whole text', async () => {
    const tokenizer = await loadTokenizer({ tokenizer: json });
    let found = 0;
    for (const { text: whole } of cases) {
      const ids = tokenizer.encode(whole, { addSpecialTokens: false });
      const ranges = tokenizer.locate!(whole, ids);
      if (ranges === undefined) continue;
      found++;
      expect(ranges).toHaveLength(2 * ids.length);
      expect([...ranges]).toEqual([...ranges].sort((a, b) => a - b));
      if (ids.length > 0) expect(bytes.encode(whole).length - ranges.at(-1)!).toBeLessThan(5);
    }
    expect(found).toBeGreaterThan(0.5 * cases.length);
  });
});

describe('locate', () => {
  const family = readFixture().smollm!.tokenizer as { post_processor: object };
  const tokensOf = async (whole: string, json: object = family): Promise<string[] | undefined> => {
    const tokenizer = await loadTokenizer({ tokenizer: json });
    const ranges = tokenizer.locate!(whole, tokenizer.encode(whole, { addSpecialTokens: false }));
    if (ranges === undefined) return undefined;
    return Array.from({ length: ranges.length / 2 }, (_, i) =>
      text.decode(bytes.encode(whole).subarray(ranges[2 * i], ranges[2 * i + 1])),
    );
  };
  it('says what each token is of the text', async () => {
    expect(await tokensOf('<s>the cat<|end|> on')).toEqual(['<s>', 'the', ' ca', 't', '<|end|>', ' ', 'on']);
  });
  it('leaves spaces at the ends of tokens out where Python does', async () => {
    const trimming = { ...family, post_processor: { ...family.post_processor, trim_offsets: true } };
    expect(await tokensOf('the cat on', trimming)).toEqual(['the', 'ca', 't', '', 'on']);
  });
  it('gives nothing where the tokens are not those of the text', async () => {
    const tokenizer = await loadTokenizer({ tokenizer: family });
    expect(tokenizer.locate!('abc', tokenizer.encode('abd'))).toBeUndefined();
    expect(tokenizer.locate!('abc', tokenizer.encode('ab'))).toBeUndefined();
    expect(tokenizer.locate!('a', [99_999])).toBeUndefined();
  });
});
