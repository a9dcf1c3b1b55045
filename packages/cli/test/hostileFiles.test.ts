import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeSafetensors } from '@dropbp/safetensors';
import { commands } from '../src/commands.ts';
import { runCommandLine } from '../src/flags/runCommandLine.ts';
import { fakeTerminal } from './fakeTerminal.ts';
import { writeTinyModel } from './tinyModelFolder.ts';

// Files that would make the command hang, or fill the memory, were it to believe them.

let folder: string;
let model: string;
let data: string;
let made = 0;
const at = (name: string): string => join(folder, name);

async function dropbp(...args: string[]): Promise<{ code: number; notes: string; ms: number }> {
  const terminal = fakeTerminal();
  const startedMs = performance.now();
  const code = await runCommandLine({ commands, version: '0.0.0', args, terminal });
  return { code, notes: terminal.written.notes, ms: performance.now() - startedMs };
}

/** A model's folder in which some files are others: a link to the path, or the text. */
function changed(name: string, files: Readonly<Record<string, { to: string } | string>>): string {
  const copy = at(name);
  cpSync(model, copy, { recursive: true });
  for (const [file, content] of Object.entries(files)) {
    rmSync(join(copy, file), { force: true });
    if (typeof content === 'string') writeFileSync(join(copy, file), content);
    else symlinkSync(content.to, join(copy, file));
  }
  return copy;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dropbp-hostile-'));
  model = at('model');
  await writeTinyModel(model);
  data = at('text.txt');
  writeFileSync(data, 'The quick brown fox jumps over the lazy dog.\n'.repeat(50));
  execFileSync('mkfifo', [at('pipe'), at('pipe.jsonl'), at('pipe.gguf'), at('pipe.safetensors')]);
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('a pipe or a device in place of a file', () => {
  const train = (model: string, data: string) => dropbp('train', '--model', model, '--data', data, '--out', at('out'));
  const generate = (model: string, ...more: string[]) => dropbp('generate', '--model', model, '--prompt', 'a', ...more);
  it.each([
    ['inspect', () => dropbp('inspect', at('pipe')), /pipe is a named pipe; expected a file/],
    ['inspect of safetensors', () => dropbp('inspect', at('pipe.safetensors')), /is a named pipe/],
    ['inspect of a device', () => dropbp('inspect', '/dev/zero'), /zero is a device/],
    ['a GGUF file', () => generate(at('pipe.gguf')), /is a named pipe/],
    ['the model', () => generate(at('pipe')), /is a named pipe/],
    ['the data', () => train(model, at('pipe.jsonl')), /is a named pipe/],
    ['the adapter', () => generate(model, '--adapter', at('pipe')), /is a named pipe/],
    ['options', () => dropbp('train', '--config', at('pipe')), /is a named pipe/],
    ['config.json', () => generate(changed('a', { 'config.json': { to: at('pipe') } })), /json is a named pipe/],
    ['tokenizer.json', () => generate(changed('b', { 'tokenizer.json': { to: '/dev/zero' } })), /json is a device/],
    ['weights', () => generate(changed('c', { 'model.safetensors': { to: '/dev/zero' } })), /is a device/],
    ['a run', () => dropbp('report', at('pipe'), '--out', at('r.html')), /is a named pipe/],
  ])('is refused as %s', async (_, run, message) => {
    const { code, notes, ms } = await run();
    expect(notes).toMatch(message);
    expect(code).toBe(2);
    expect(ms).toBeLessThan(20_000);
  });
});

describe('a config.json that asks for more than its checkpoint holds', () => {
  const sizes = JSON.stringify;
  it.each([
    [
      { num_hidden_layers: 3e6 },
      /num_hidden_layers is not usable; got 3000000; expected at most 20 layers: the checkpoint/,
    ],
    [{ num_hidden_layers: 4e9 }, /num_hidden_layers is not usable/],
    [{ num_hidden_layers: 19 }, /does not fit its config\.json/],
    [{ head_dim: 2e9 }, /a head is too large .*got 2000000000; expected at most 257/],
    [{ hidden_size: 2 ** 40, head_dim: null }, /a head is too large/],
    [{ num_attention_heads: 2 ** 40 }, /head_dim is not usable/],
    [{ vocab_size: 1e15 }, /does not fit its config\.json/],
    [{ intermediate_size: 1e300 }, /does not fit its config\.json/],
    [{ max_position_embeddings: 1e15, vocab_size: 256 }, /does not fit its config\.json/],
    [{ model_type: 'smollm3', num_hidden_layers: 1e9 }, /num_hidden_layers is not usable/],
    [{ model_type: 'gpt2', n_layer: 1e9, n_embd: 32, n_head: 2 }, /n_layer is not usable/],
    [
      { model_type: 'gpt_neox', num_hidden_layers: 2, num_attention_heads: 1, hidden_size: 2 ** 32 },
      /a head is too large/,
    ],
  ])('is refused with %j', async (asked, message) => {
    const config = JSON.parse(readFileSync(join(model, 'config.json'), 'utf8')) as object;
    const folder = changed(`sizes-${String(++made)}`, { 'config.json': sizes({ ...config, ...asked }) });
    for (const args of [['generate', '--prompt', 'a'], ['plan'], ['train', '--data', data, '--out', at('out')]]) {
      const { code, notes, ms } = await dropbp(...args, '--model', folder);
      expect(notes).toMatch(message);
      expect(code).toBe(2);
      expect(ms).toBeLessThan(20_000);
    }
    await dropbp('inspect', folder);
  });
  it('is refused where it nests deeper than any', async () => {
    for (const nested of ['['.repeat(200_000), `{"a":${'['.repeat(1e5)}${']'.repeat(1e5)}}`]) {
      for (const file of ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'generation_config.json']) {
        const { code, ms } = await dropbp(
          'generate',
          '--prompt',
          'a',
          '--model',
          changed(`deep-${String(++made)}`, { [file]: nested }),
        );
        expect(ms).toBeLessThan(20_000);
        // A key that nobody reads may hold anything.
        expect(code).toBe(file !== 'config.json' && file !== 'tokenizer.json' && nested.startsWith('{') ? 0 : 2);
      }
    }
  });
});

describe('an adapter that claims more than its file holds', () => {
  const prefix = 'base_model.model.model.layers.0.self_attn.q_proj.lora_';
  const f32 = (...shape: number[]) => ({
    dtype: 'F32' as const,
    shape,
    data: new Uint8Array(4 * shape.reduce((x, y) => x * y, 1)),
  });
  const lora = new Map([
    [`${prefix}A.weight`, f32(2, 32)],
    [`${prefix}B.weight`, f32(32, 2)],
  ]);
  const loraConfig = { peft_type: 'LORA', r: 2, lora_alpha: 2, target_modules: ['q_proj'], layers_to_transform: [0] };
  const prompt = new Map([['prompt_embeddings', f32(2, 32)]]);
  const adapter = (config: object, tensors: Map<string, ReturnType<typeof f32>>): string => {
    const folder = at(`adapter-${String(++made)}`);
    mkdirSync(folder);
    writeFileSync(join(folder, 'adapter_config.json'), JSON.stringify(config));
    writeFileSync(join(folder, 'adapter_model.safetensors'), encodeSafetensors(tensors));
    return folder;
  };
  it.each([
    [{ ...loraConfig, r: 1e9 }, lora, /rank is 2, by r it should be 1000000000/],
    [{ ...loraConfig, r: 1e9, init_lora_weights: 'pissa' }, lora, /rank is 2, by r it should be 1000000000/],
    [{ ...loraConfig, rank_pattern: { q_proj: 1e9 } }, lora, /rank_pattern 'q_proj' it should be 1000000000/],
    [{ ...loraConfig, use_dora: true, r: 1e15 }, lora, /1000000000000000/],
    [{ ...loraConfig, layers_to_transform: Array.from({ length: 200_000 }, (_, i) => i + 1) }, lora, /does not fit/],
    [
      { ...loraConfig, target_modules: Array.from({ length: 50_000 }, (_, i) => `x${String(i)}`) },
      lora,
      /name none of the modules/,
    ],
    [{ ...loraConfig, trainable_token_indices: [1e9] }, lora, /has 257 entries/],
    [
      { peft_type: 'PROMPT_TUNING', num_virtual_tokens: 1e9 },
      prompt,
      /num_virtual_tokens in adapter_config.json is 1000000000/,
    ],
    [{ peft_type: 'PREFIX_TUNING', num_virtual_tokens: 1e9 }, prompt, /fit/],
    [
      { peft_type: 'P_TUNING', num_virtual_tokens: 1e9, encoder_hidden_size: 1e9 },
      prompt,
      /num_virtual_tokens .* is 1000000000/,
    ],
    [{ peft_type: 'ADAPTION_PROMPT', adapter_len: 1e9, adapter_layers: 1 }, prompt, /fit/],
    [
      { peft_type: 'ADAPTION_PROMPT', adapter_len: 1, adapter_layers: 1e9 },
      prompt,
      /adapterLayers is more than the model has/,
    ],
    [{ peft_type: 'IA3', target_modules: ['q_proj'], feedforward_modules: [] }, lora, /fit/],
    [{ ...loraConfig, peft_type: 'x'.repeat(2e6) }, lora, /adapters of the method 'x{3000,}/],
    [{ ...loraConfig, ['y'.repeat(2e6)]: 1 }, lora, /key that is not known/],
  ])('is refused: %.80j', async (config, tensors, message) => {
    const folder = adapter(config, tensors);
    const { code, notes, ms } = await dropbp('generate', '--model', model, '--adapter', folder, '--prompt', 'a');
    expect(notes).toMatch(message);
    expect(code).toBe(2);
    expect(notes.length).toBeLessThan(20_000);
    expect(ms).toBeLessThan(20_000);
    expect((await dropbp('inspect', folder)).ms).toBeLessThan(20_000);
  });
});

describe('files of very many names', () => {
  it('are refused with some of them', async () => {
    const folder = changed(`many-${String(++made)}`, {});
    const scalars = Array.from({ length: 20_000 }, (_, i) => {
      const info = { dtype: 'F32' as const, shape: [16], data: new Uint8Array(64) };
      return [`model.layers.${String(i)}.self_attn.query_projection.weight`, info] as const;
    });
    writeFileSync(join(folder, 'model.safetensors'), encodeSafetensors(new Map(scalars)));
    const { code, notes, ms } = await dropbp('generate', '--model', folder, '--prompt', 'a');
    expect(notes).toContain('does not fit its config.json');
    expect([code, ms < 5000]).toEqual([2, true]);
  });
  it('are refused as options', async () => {
    for (const content of ['['.repeat(100_000), `a: ${'{b: '.repeat(50_000)}`, 'x: 1\n'.repeat(300_000)]) {
      writeFileSync(at('options.yaml'), content);
      const { code, ms } = await dropbp('train', '--config', at('options.yaml'));
      expect([code, ms < 5000]).toEqual([2, true]);
    }
  });
});
