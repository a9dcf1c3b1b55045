import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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
    expect(ms).toBeLessThan(2000);
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
      expect(ms).toBeLessThan(2000);
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
        expect(ms).toBeLessThan(2000);
        // A key that nobody reads may hold anything.
        expect(code).toBe(file !== 'config.json' && file !== 'tokenizer.json' && nested.startsWith('{') ? 0 : 2);
      }
    }
  });
});
