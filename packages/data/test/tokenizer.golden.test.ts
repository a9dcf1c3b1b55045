import { describe, expect, it } from 'vitest';
import { loadTokenizer } from '../src/index.ts';
import { readFixture, readWordPieces } from './readFixture.ts';

const families = Object.entries({ ...readFixture(), ...readWordPieces() });
describe.each(families)('%s', (_, { tokenizer: json, cases, idCases }) => {
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

describe.each(Object.entries(readWordPieces()))('pairs of texts of %s', (_, { tokenizer: json, pairs }) => {
  it("have Python's ids and types, the empty text included", async () => {
    const tokenizer = await loadTokenizer({ tokenizer: json });
    for (const { texts, ids, tokenTypes, bareIds, bareTypes } of pairs) {
      expect({ texts, ...tokenizer.encodePair!(...texts) }).toEqual({ texts, ids, tokenTypes });
      const bare = tokenizer.encodePair!(...texts, { addSpecialTokens: false });
      expect({ texts, ...bare }).toEqual({ texts, ids: bareIds, tokenTypes: bareTypes });
    }
  });
});
