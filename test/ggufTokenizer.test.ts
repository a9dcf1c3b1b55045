import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadChatTemplate, loadTokenizer } from '@dropbp/data';
import { ggufTokenizer, readGguf, type GgufHeader, type GgufValue } from '@dropbp/models';

interface AddedToken {
  readonly content: string;
  readonly id: number;
  readonly special: boolean;
}

interface Family {
  readonly tokenizer: {
    readonly added_tokens: readonly AddedToken[];
    readonly model: { readonly vocab: Record<string, number>; readonly merges: readonly [string, string][] };
  };
  readonly cases: readonly { readonly text: string; readonly ids: number[]; readonly bareIds: number[] }[];
}

/** What Python's tokenizers says: see packages/data/test/fixtures/make_tokenizers.py. */
const { families } = JSON.parse(
  readFileSync(new URL('../packages/data/test/fixtures/tokenizers.json', import.meta.url), 'utf8'),
) as { families: Record<string, Family> };

/** The metadata that llama.cpp's conversion keeps of a tokenizer. */
function headerOf({ tokenizer: { added_tokens: added, model } }: Family, pre: string): GgufHeader {
  const ids = new Map([...Object.entries(model.vocab), ...added.map(({ content, id }) => [content, id] as const)]);
  const tokens = [...ids].sort((a, b) => a[1] - b[1]).map(([token]) => token);
  const special = new Map(added.map(token => [token.content, token.special]));
  const types: Record<string, number> = { undefined: 1, true: 3, false: 4 };
  const entries: Record<string, GgufValue> = {
    model: 'gpt2',
    pre,
    tokens,
    token_type: tokens.map(token => types[String(special.get(token))]!),
    merges: model.merges.map(pair => pair.join(' ')),
    bos_token_id: ids.get('<s>')!,
    eos_token_id: ids.get('<|end|>')!,
  };
  const metadata = new Map(Object.entries(entries).map(([key, value]) => [`tokenizer.ggml.${key}`, value]));
  return { name: 'x.gguf', metadata, tensors: new Map() };
}

describe('the tokenizer of a GGUF file', () => {
  it.each([
    ['gpt2', 'gpt-2'],
    ['smollm', 'smollm'],
    ['llama3', 'llama-bpe'],
    ['qwen2', 'qwen2'],
  ])("gives the ids of Python's tokenizers: %s", async (name, pre) => {
    const family = families[name]!;
    const tokenizer = await loadTokenizer(ggufTokenizer(headerOf(family, pre)));
    expect(tokenizer.eosToken?.text).toBe('<|end|>');
    // A file does not say that this token takes the white space before it.
    const cases = family.cases.filter(({ text }) => !text.includes('[mask]'));
    expect(cases.length).toBe(family.cases.length - 1);
    for (const { text, ids, bareIds } of cases) {
      expect({ text, ids: tokenizer.encode(text) }).toEqual({ text, ids });
      expect({ text, ids: tokenizer.encode(text, { addSpecialTokens: false }) }).toEqual({ text, ids: bareIds });
    }
  });

  it('comes out of a file with its chat template', async () => {
    const path = new URL('../packages/models/test/fixtures/gguf/quantised.gguf', import.meta.url).pathname;
    const files = ggufTokenizer(await readGguf(path));
    const tokenizer = await loadTokenizer(files);
    const { cases } = families.smollm!;
    for (const { text, bareIds } of cases.filter(({ text }) => !text.includes('[mask]'))) {
      expect({ text, ids: tokenizer.encode(text) }).toEqual({ text, ids: [tokenizer.idOf('<s>'), ...bareIds] });
    }
    const template = await loadChatTemplate({ config: files.config });
    expect(template?.render([{ role: 'user', content: 'Hello' }])).toBe('Hello<|end|>');
  });
});
