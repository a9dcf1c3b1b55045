import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadTokenizer, type Tokenizer } from '@dropbp/data';

/** What tokenizer_cases.py wrote for one tokenizer, as far as the suite reads it. */
interface TokenizerCases {
  /** Folder, from the root of the repository. */
  readonly tokenizer: string;
  readonly cases: {
    text: string;
    ids: number[];
    decoded: string;
    decodedWithoutSpecial: string;
    /** The text with the one that follows it, the last with an empty one. */
    pair: { ids: number[]; tokenTypes: number[] };
  }[];
  readonly idCases: { ids: number[]; decoded: string }[];
}

const root = fileURLToPath(new URL('../..', import.meta.url));

describe.each(['smollm2', 'gpt2', 'minilm', 'austen-base'])('tokenizer %s', name => {
  const file = join(root, 'test/.cache/tokenizers', `${name}.json`);
  const { tokenizer: folder, cases, idCases } = JSON.parse(readFileSync(file, 'utf8')) as TokenizerCases;
  let tokenizer: Tokenizer;
  beforeAll(async () => {
    tokenizer = await loadTokenizer(join(root, folder));
  });

  it("encodes 1,000 varied strings as Python's does", () => {
    expect(cases).toHaveLength(1000);
    for (const { text, ids } of cases) expect([...tokenizer.encode(text)], JSON.stringify(text)).toEqual(ids);
  });

  it('encodes pairs of them, with the type of each token', () => {
    for (const [i, { text, pair }] of cases.entries()) {
      const other = cases[i + 1]?.text ?? '';
      expect(tokenizer.encodePair!(text, other), JSON.stringify([text, other])).toEqual(pair);
    }
  });

  it('decodes them, with special tokens and without', () => {
    for (const { ids, decoded, decodedWithoutSpecial } of cases) {
      expect(tokenizer.decode(ids)).toBe(decoded);
      expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(decodedWithoutSpecial);
    }
  });

  it('decodes any ids, broken characters included', () => {
    expect(idCases.length).toBeGreaterThan(0);
    for (const { ids, decoded } of idCases) expect(tokenizer.decode(ids), ids.join(' ')).toBe(decoded);
  });
});
