import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compose } from '@dropbp/compose';
import { loadModel, openWeights, readGguf } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';
import { commands } from '../src/commands.ts';
import { runCommandLine } from '../src/flags/runCommandLine.ts';
import { fakeTerminal } from './fakeTerminal.ts';
import { writeTinyModel } from './tinyModelFolder.ts';

let folder: string;
const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dropbp-export-'));
  await writeTinyModel(at('model'));
  const model = await loadModel(at('model'));
  const tuned = compose(model, lora({ rank: 2, targetModules: 'all-linear', initialization: 'gaussian' }));
  await tuned.save(at('adapter'));
  tuned.dispose();
  model.dispose();
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

async function run(...args: string[]): Promise<{ code: number; out: string; notes: string }> {
  const terminal = fakeTerminal();
  const code = await runCommandLine({
    commands,
    version: '0.0.0',
    args: ['export', '--backend', 'cpu', ...args],
    terminal,
  });
  return { code, out: terminal.written.out, notes: terminal.written.notes };
}

describe('dropbp export', () => {
  it('writes a model with its tokenizer', async () => {
    const { code, out } = await run('--model', at('model'), '--type', 'F32', '--out', at('new/model.gguf'));
    expect({ code, out }).toMatchObject({ code: 0, out: expect.stringContaining('model.gguf') as string });
    const [file, original] = [await openWeights(at('new/model.gguf')), await openWeights(at('model'))];
    for (const name of original.shapes.keys()) expect(await file.read(name)).toEqual(await original.read(name));
    expect((await readGguf(at('new/model.gguf'))).metadata.get('tokenizer.ggml.eos_token_id')).toBe(256);
  });

  it('writes the adapter alone, or the model with the adapter merged into it', async () => {
    const alone = await run('--adapter', at('adapter'), '--out', at('adapter.gguf'), '--json');
    expect(JSON.parse(alone.out)).toMatchObject({ written: at('adapter.gguf'), layers: 14 });
    expect((await readGguf(at('adapter.gguf'))).metadata.get('general.type')).toBe('adapter');
    const merged = await run('--adapter', at('adapter'), '--merge', '--type', 'Q8_0', '--out', at('merged.gguf'));
    expect(merged.code).toBe(0);
    expect((await readGguf(at('merged.gguf'))).tensors.get('blk.0.attn_q.weight')?.type).toBe('Q8_0');
  });

  it('refuses what makes no sense, and a place that has something', async () => {
    const wrong = async (...args: string[]): Promise<string> => {
      const { code, notes } = await run('--out', at('no.gguf'), ...args);
      expect(code).toBe(2);
      return notes;
    };
    expect(await wrong()).toContain('there is no model; give --model, or --adapter');
    expect(await wrong('--model', at('model'), '--merge')).toContain('--merge has nothing to merge; give --adapter');
    expect(await wrong('--adapter', at('adapter'), '--type', 'Q4_0')).toContain('add --merge');
    expect(await wrong('--model', at('model'), '--from', 'x')).toContain('--from is of no use here');
    expect(existsSync(at('no.gguf'))).toBe(false);
    expect((await run('--model', at('model'), '--out', at('adapter'))).notes).toContain('exists; choose another');
  });
});
