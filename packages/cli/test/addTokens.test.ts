import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadTokenizer } from '@dropbp/data';
import { commands } from '../src/commands.ts';
import { runCommandLine } from '../src/flags/runCommandLine.ts';
import { fakeTerminal } from './fakeTerminal.ts';
import { writeTinyModel } from './tinyModelFolder.ts';

const start = process.cwd();
let folder: string;

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'dropbp-tokens-')));
  process.chdir(folder);
  await writeTinyModel('base', { layers: 1 });
  writeFileSync('text.txt', '<|ask|>Who is there?<|say|>The quick brown fox.\n'.repeat(40));
  writeFileSync('tokens.txt', '<|ask|>\n<|say|>\n');
  const trained = await train('--model', 'base', '--add-tokens', 'tokens.txt', '--out', 'run', '--rank', '2');
  expect(trained.code, trained.notes).toBe(0);
});
afterAll(() => {
  process.chdir(start);
  rmSync(folder, { recursive: true });
});

async function run(...args: string[]) {
  const terminal = fakeTerminal();
  const code = await runCommandLine({ commands, version: '0', args: [...args, '--backend', 'cpu'], terminal });
  return { code, ...terminal.written };
}
const train = (...flags: string[]) =>
  run('train', '--data', 'text.txt', '--steps', '2', '--time', '16', '--batch', '2', '--sample-tokens', '0', '--evaluations', '1', ...flags); // prettier-ignore
const writing = ['generate', '--prompt', '<|ask|>Who<|say|>', '--max-new-tokens', '6', '--temperature', '0'];
const readJson = (path: string): Record<string, unknown> =>
  JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;

describe('dropbp train --add-tokens', () => {
  it('trains the rows of the new tokens, and keeps the tokenizer with the adapter', async () => {
    expect(readJson('run/adapter/adapter_config.json').trainable_token_indices).toEqual([257, 258]);
    const tokenizer = await loadTokenizer('run/adapter');
    expect(tokenizer.vocabSize).toBe(259);
    expect(tokenizer.encode('<|say|>a<|ask|>')).toEqual([258, 97 - 0x21, 257].map((id, i) => (i === 1 ? tokenizer.idOf('a') : id)));
    expect(tokenizer.eosToken?.text).toBe('<|end|>');
    // Without the adapter the base knows nothing of them.
    expect((await loadTokenizer('base')).encode('<|say|>').length).toBeGreaterThan(1);
  });

  it('is written with, measured and merged, and trained on', async () => {
    const written = await run(...writing, '--adapter', 'run/adapter');
    expect(written.code, written.notes).toBe(0);
    const measured = await run('evaluate', '--adapter', 'run/adapter', '--data', 'text.txt', '--limit', '2', '--json');
    expect(measured.code, measured.notes).toBe(0);
    const merged = await run('merge', '--adapter', 'run/adapter', '--out', 'merged');
    expect(merged.code, merged.notes).toBe(0);
    expect(readJson('merged/config.json').vocab_size).toBe(259);
    expect((await run(...writing, '--model', 'merged')).out).toBe(written.out);
    const further = await train('--from', 'run/adapter', '--out', 'further');
    expect(further.code, further.notes).toBe(0);
    expect(readJson('further/adapter/adapter_config.json').trainable_token_indices).toEqual([257, 258]);
    expect((await loadTokenizer('further/adapter')).vocabSize).toBe(259);
  });

  it.each([
    [['--add-tokens', '<|ask|>', '--adapter', 'ia3'], '--add-tokens does not belong to --adapter ia3; expected --adapter lora'],
    [['--add-tokens', 'a'], 'a token to add is in the vocabulary already; got "a"'],
    [['--add-tokens', '<x>,<x>'], 'a token to add is in the vocabulary already; got "<x>"'],
    [['--add-tokens', ','], '--add-tokens , names no token'],
    [['--add-tokens', 'base'], '--add-tokens base is not usable; expected tokens such as a,b,c, or a file'],
    [['--add-tokens', '<x>', '--from', 'run/adapter'], '--add-tokens has no effect with --from'],
  ])('refuses %j', async (flags, text) => {
    const { code, notes } = await train('--model', 'base', '--out', 'none', ...flags);
    expect([code, notes]).toEqual([2, expect.stringContaining(text)]);
  });
}); // prettier-ignore
