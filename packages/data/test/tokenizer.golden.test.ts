import { describe, expect, it } from 'vitest';
import { loadTokenizer } from '../src/index.ts';
import { readFixture } from './readFixture.ts';

describe.each(Object.entries(readFixture()))('%s', (_, { tokenizer: json, cases, idCases }) => {
  it("gives the ids of Python's tokenizers", async () => {
    const tokenizer = await loadTokenizer({ tokenizer: json });
    for (const { text, ids, bareIds } of cases) {
      expect({ text, ids: tokenizer.encode(text) }).toEqual({ text, ids });
      expect({ text, ids: tokenizer.encode(text, { addSpecialTokens: false }) }).toEqual({ text, ids: bareIds });
    }
  });
  it('gives its text', async () => {
    const tokenizer = await loadTokenizer({ tokenizer: json });
    for (const { ids, decoded, decodedBare } of cases) {
      expect(tokenizer.decode(ids)).toBe(decoded);
      expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(decodedBare);
    }
  });
  it('gives its text of tokens that break characters', async () => {
    const tokenizer = await loadTokenizer({ tokenizer: json });
    for (const { ids, decoded } of idCases)
      expect({ ids, text: tokenizer.decode(ids) }).toEqual({ ids, text: decoded });
  });
});
