import { readFileSync } from 'node:fs';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
    for (const given of [files, { config: files.config }]) {
      const template = await loadChatTemplate(given);
      expect(template?.render([{ role: 'user', content: 'Hello' }])).toBe('Hello<|end|>');
    }
  });

  describe.each([
    ['loadTokenizer', loadTokenizer as (source: unknown) => Promise<unknown>],
    ['loadChatTemplate', loadChatTemplate as (source: unknown) => Promise<unknown>],
  ])('of a file that %s() cannot read', (name, load) => {
    const path = new URL('../packages/models/test/fixtures/gguf/quantised.gguf', import.meta.url).pathname;
    it('is named, with the functions to call', async () => {
      await expect(load(path)).rejects.toThrow(
        `${path} is a GGUF file; expected the folder of a model: for one on the hub, what findModelFolder() of @dropbp/models gives; ${name}(ggufTokenizer(await readGguf('${path}'))), with @dropbp/models.`,
      );
      await expect(load(await readGguf(path))).rejects.toThrow(
        new RegExp(`was given the header of a GGUF file; .*; ${name}\\(ggufTokenizer\\(header\\)\\)`),
      );
      await expect(load(new Blob([await readFile(path)]))).rejects.toThrow(
        `${name}(ggufTokenizer(await readGguf(blob)))`,
      );
    });
    it('is known by its first bytes where its name does not tell, and by its name where it is not there', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'gguf-'));
      await copyFile(path, join(folder, 'weights.bin'));
      await expect(load(join(folder, 'weights.bin'))).rejects.toThrow(/weights\.bin is a GGUF file; .*ggufTokenizer/);
      await writeFile(join(folder, 'tokenizer.json'), '{}');
      await expect(load(join(folder, 'tokenizer.json'))).rejects.toThrow(
        /tokenizer\.json is a file; .*; give the folder that it lies in\.$/,
      );
      await expect(load(join(folder, 'none.gguf'))).rejects.toThrow(/there is no file .*none\.gguf\.$/);
      await rm(folder, { recursive: true });
    });
  });
});
