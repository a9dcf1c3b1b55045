import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadTokenizer } from '@dropbp/data';
import { createModel, ggufTokenizer, readGguf, type GgufHeader } from '@dropbp/models';
import { exportGguf, type ExportGgufOptions } from '../src/index.ts';

interface Family {
  readonly tokenizer: {
    readonly model: { readonly vocab: Record<string, number> };
    readonly added_tokens: readonly { readonly id: number; readonly content: string }[];
  };
}

const { families } = JSON.parse(
  readFileSync(fileURLToPath(new URL('../../data/test/fixtures/tokenizers.json', import.meta.url)), 'utf8'),
) as { families: Record<string, Family> };

const texts = [
  'Hello world! It is 2026, and 12345 things went well.',
  "  Two spaces,\ttabs\n\nand lines; don't WE'LL stop\r\n ",
  'Größe, naïve, 中文, 😀 <|endoftext|></s>',
];

let folder: string;
beforeAll(async () => {
  tf.enableProdMode();
  await tf.setBackend('cpu');
  folder = mkdtempSync(join(tmpdir(), 'export-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** The header of a file with a tokenizer: a model of two rows more than the tokenizer has tokens. */
async function exportWith(
  files: Readonly<Record<string, unknown>>,
  rows: number,
  options: ExportGgufOptions = {},
): Promise<GgufHeader> {
  const sizes = { model_type: 'llama', vocab_size: rows, hidden_size: 8, intermediate_size: 8 };
  const model = createModel({ ...sizes, num_hidden_layers: 1, num_attention_heads: 1, eos_token_id: 3 }, { seed: 1 });
  const contents = Object.entries(files).map(
    ([name, value]) =>
      [name, new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value))] as const,
  );
  const path = join(folder, 'tokenizer.gguf');
  await exportGguf({ ...model, companions: () => Promise.resolve(new Map(contents)) }, path, options);
  model.dispose();
  return readGguf(path);
}

const rowsOf = ({ tokenizer }: Family): number =>
  3 + Math.max(...Object.values(tokenizer.model.vocab), ...tokenizer.added_tokens.map(({ id }) => id));

/** The special tokens that a tokenizer has. */
function configOf({ tokenizer }: Family): Readonly<Record<string, string>> {
  const has = (token: string): boolean => tokenizer.added_tokens.some(({ content }) => content === token);
  return { ...(has('<s>') && { bos_token: '<s>' }), ...(has('</s>') && { eos_token: '</s>' }) };
}

const filesOf = (family: Family) => ({
  'tokenizer.json': family.tokenizer,
  'tokenizer_config.json': configOf(family),
});

describe.each([
  ['gpt2', 'gpt-2'],
  ['smollm', 'smollm'],
  ['llama3', 'llama-bpe'],
  ['qwen2', 'qwen2'],
])('the tokenizer of %s', (name, pre) => {
  it('gives the same tokens when it comes out of a GGUF file', async () => {
    const family = families[name]!;
    const header = await exportWith(filesOf(family), rowsOf(family));
    expect(header.metadata.get('tokenizer.ggml.pre')).toBe(pre);
    const [ours, original] = [
      await loadTokenizer(ggufTokenizer(header)),
      await loadTokenizer({ tokenizer: family.tokenizer, config: configOf(family) }),
    ];
    for (const text of texts) {
      expect(ours.encode(text)).toEqual(original.encode(text));
      expect(ours.decode(ours.encode(text))).toBe(original.decode(original.encode(text)));
    }
    expect(ours.eosToken).toEqual(original.eosToken ?? { id: 3, text: original.decode([3]) });
  });
});

describe.each(['llama2', 'llama2-metaspace'])('the tokenizer of %s', name => {
  it('is one of SentencePiece: pieces with scores in the order of the merges', async () => {
    const family = families[name]!;
    const { metadata } = await exportWith(filesOf(family), rowsOf(family));
    const list = (key: string) => metadata.get(`tokenizer.ggml.${key}`) as (string | number)[];
    expect(metadata.get('tokenizer.ggml.model')).toBe('llama');
    expect(metadata.has('tokenizer.ggml.merges')).toBe(false);
    const [tokens, types, scores] = [list('tokens') as string[], list('token_type'), list('scores') as number[]];
    expect(types[tokens.indexOf('<0x0A>')]).toBe(6);
    expect(types[tokens.indexOf('<unk>')]).toBe(2);
    expect(types[tokens.indexOf('<s>')]).toBe(3);
    expect(types.at(-1)).toBe(5);
    const merges = (family.tokenizer.model as unknown as { merges: (string | string[])[] }).merges.map(merge =>
      typeof merge === 'string' ? merge.replace(' ', '') : merge.join(''),
    );
    const made = [...new Set(merges)].map(token => scores[tokens.indexOf(token)]!);
    expect(made).toEqual([...made].sort((a, b) => b - a));
  });
});

describe('beside the tokens', () => {
  const family = families.qwen2!;
  it('chat templates by name, the ends of texts and of turns', async () => {
    const templates = [
      { name: 'default', template: 'A' },
      { name: 'tool_use', template: 'B' },
    ];
    const { tokenizer } = family;
    const [first, second] = tokenizer.added_tokens;
    const named = { ...configOf(family), eos_token: first!.content, chat_template: templates };
    const generation = { eos_token_id: [first!.id, second?.id ?? 5] };
    const files = { 'tokenizer.json': tokenizer, 'tokenizer_config.json': named, 'generation_config.json': generation };
    const { metadata } = await exportWith(files, rowsOf(family));
    expect(metadata.get('tokenizer.chat_template')).toBe('A');
    expect(metadata.get('tokenizer.chat_template.tool_use')).toBe('B');
    expect(metadata.get('tokenizer.chat_templates')).toEqual(['tool_use']);
    expect(metadata.get('tokenizer.ggml.eos_token_id')).toBe(first!.id);
    expect(metadata.get('tokenizer.ggml.eot_token_id')).toBe(second?.id ?? 5);
    const own = await exportWith({ ...files, 'chat_template.jinja': 'C' }, rowsOf(family));
    expect(own.metadata.get('tokenizer.chat_template')).toBe('C');
  });

  it('what llama.cpp does not know is refused, with what to do', async () => {
    const refused = families['digit-groups']!;
    await expect(exportWith(filesOf(refused), rowsOf(refused))).rejects.toThrow("preTokenizer: 'falcon'");
    const { metadata } = await exportWith(filesOf(refused), rowsOf(refused), { preTokenizer: 'falcon' });
    expect(metadata.get('tokenizer.ggml.pre')).toBe('falcon');
    await expect(exportWith(filesOf(family), 4)).rejects.toThrow('more tokens than the model has rows');
    await expect(exportWith({ 'tokenizer.json': '{' }, 4)).rejects.toThrow('tokenizer.json is not JSON');
    const odd = { ...filesOf(family), 'tokenizer_config.json': { ...configOf(family), unk_token: 'none such' } };
    await expect(exportWith(odd, rowsOf(family))).rejects.toThrow('unk_token is not a token of the tokenizer');
  });
});
