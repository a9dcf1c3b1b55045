import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commands } from '../src/commands.ts';
import { runCommandLine } from '../src/flags/runCommandLine.ts';
import type { DryRun } from '../src/commands/train/dryRun.ts';
import type { RunRecord } from '../src/record/runRecord.ts';
import { fakeTerminal } from './fakeTerminal.ts';
import { writeTinyModel } from './tinyModelFolder.ts';

let folder: string;
const at = (name: string): string => join(folder, name);
const template = `{% for m in messages %}<{{ m.role }}>{{ m.content }}</{{ m.role }}>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}`;
const lines = (rows: readonly object[]): string => rows.map(row => `${JSON.stringify(row)}\n`).join('');

async function train(model: string, data: string[], ...more: string[]) {
  const terminal = fakeTerminal();
  const files = data.flatMap(file => ['--data', at(file)]);
  const args = ['train', '--model', at(model), ...files, '--backend', 'cpu', ...more];
  const code = await runCommandLine({ commands, version: '0.0.0', args, terminal });
  return { code, ...terminal.written };
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dropbp-data-'));
  await writeTinyModel(at('model'));
  cpSync(at('model'), at('chatty'), { recursive: true });
  writeFileSync(at('chatty/chat_template.jinja'), template);
  const chat = (i: number) => [
    { role: 'user', content: `${i}?` },
    { role: 'assistant', content: `${i}!` },
  ];
  writeFileSync(at('chats.jsonl'), lines(Array.from({ length: 10 }, (_, i) => ({ messages: chat(i) }))));
  const rows = Array.from({ length: 8 }, (_, i) => ({ question: `${i} + 1 =`, answer: ` ${i + 1}`, id: i }));
  writeFileSync(at('sums.csv'), ['question,answer,id', ...rows.map(row => Object.values(row).join(','))].join('\n'));
  writeFileSync(at('sums.jsonl'), lines(rows));
  writeFileSync(at('bad.jsonl'), `${lines(rows.slice(0, 4))}{"question": 3}\nnonsense\n`);
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('a dry run', () => {
  it('shows what the run would do, and writes nothing', async () => {
    const { code, out } = await train(
      'chatty',
      ['chats.jsonl'],
      '--out',
      at('x'),
      '--epochs',
      '4',
      '--batch',
      '3',
      '--dry-run',
      '--json',
    );
    expect(code).toBe(0);
    const plan = JSON.parse(out) as DryRun;
    // 9 rows four times are 12 batches of 3.
    expect(plan.training).toMatchObject({ steps: 12, batches: 12, batch: 3, epochs: 4 });
    expect(plan.training.dropRate).toBe(0);
    expect(plan.data).toMatchObject({ trainRows: 9, heldOutRows: 1, skippedRows: 0, tooLongRows: 0, cutTokens: 0 });
    expect(plan.training.tokens).toBe(4 * plan.data.trainTokens);
    expect(plan.data.trainTokens).toBe(9 * ('<user>0?</user><assistant>0!</assistant>'.length + 1));
    expect(plan.memoryBytes).toBeGreaterThan(1e6);
    expect(plan.seconds).toBeGreaterThan(12 * plan.secondsPerStep);
    expect(plan.examples).toHaveLength(3);
    expect(plan.examples[0]).toEqual([
      { text: '<user>0?</user><assistant>', counts: false },
      { text: '0!</assistant><|end|>', counts: true },
    ]);
    const shown = await train(
      'chatty',
      ['chats.jsonl'],
      '--out',
      at('x'),
      '--batch',
      '3',
      '--dry-run',
      '--loss',
      'all',
    );
    expect(shown.out).toContain('rows    9 to learn from, 1 held out to measure on (--held-out)\n');
    expect(shown.out).toMatch(/steps +20 of 3 sequences/);
    expect(shown.out).toContain(
      'Example 1, as the model sees it\n  learned  <user>0?</user><assistant>0!</assistant><|end|>\n',
    );
    expect(existsSync(at('x'))).toBe(false);
  });
  it('shows the memory of the longest batch', async () => {
    const texts = (name: string, lengths: number[]): void =>
      writeFileSync(at(name), lines(lengths.map(length => ({ text: 'a'.repeat(length) }))));
    texts('uneven.jsonl', [...Array<number>(19).fill(4), 50]);
    texts('long.jsonl', Array<number>(20).fill(50));
    const planned = async (name: string): Promise<DryRun> => {
      const flags = ['--out', at('x'), '--dry-run', '--json', '--time', '64', '--batch', '1', '--epochs', '1'];
      return JSON.parse((await train('chatty', [name], ...flags, '--held-out', '0')).out) as DryRun;
    };
    const [uneven, long] = [await planned('uneven.jsonl'), await planned('long.jsonl')];
    expect(uneven.training.meanTime).toBeLessThan(long.training.meanTime);
    expect(uneven.training.longestTime).toBe(long.training.longestTime);
    expect(uneven.memoryBytes).toBe(long.memoryBytes);
  });
  it('says what is cut', async () => {
    const flags = ['--out', at('x'), '--dry-run', '--time', '30', '--steps', '3'];
    const cut = await train('chatty', ['chats.jsonl'], ...flags);
    expect(cut.out).toContain('9 rows are longer than a sequence: 99 tokens are cut off\n');
  });
});

describe('a batch that no memory holds', () => {
  it.each([['--dry-run'], ['--steps', '2']])('is refused, before a step or its plan: %s', async (...flags) => {
    const { code, notes } = await train('model', ['sums.csv'], '--out', at('large'), '--batch', '1e9', '--columns', 'prompt=question,completion=answer', ...flags); // prettier-ignore
    expect([code, notes]).toEqual([2, expect.stringContaining('--batch is too large for the memory of this machine')]);
    expect(existsSync(at('large'))).toBe(false);
  });
});

describe('training', () => {
  const quick = ['--sample-tokens', '3', '--batch', '2', '--epochs', '1', '--rate', '0'];
  const record = (out: string) => JSON.parse(readFileSync(at(`${out}/run.json`), 'utf8')) as RunRecord;

  it('on chats goes through the template, samples too', async () => {
    expect(await train('chatty', ['chats.jsonl'], '--out', at('chat'), ...quick)).toMatchObject({ code: 0 });
    expect(record('chat').samples!.prompt).toBe('<user>0?</user><assistant>');
    const asked = await train('chatty', ['chats.jsonl'], '--out', at('asked'), ...quick, '--prompt', 'Well?');
    expect(asked).toMatchObject({ code: 0 });
    expect(record('asked').samples!.prompt).toBe('<user>Well?</user><assistant>');
    expect(record('chat').data).toMatchObject({ source: at('chats.jsonl'), rows: 9 });
  });
  it('on chats makes an adapter of which it is known', async () => {
    const write = async (adapter: string, ...more: string[]) => {
      const terminal = fakeTerminal();
      const args = ['generate', '--adapter', at(adapter), '--backend', 'cpu', '--max-new-tokens', '2', ...more];
      const code = await runCommandLine({ commands, version: '0.0.0', args, terminal });
      return { code, ...terminal.written };
    };
    const hint = 'learned from chats: --chat puts the text to it as a question';
    const plain = await write('chat/adapter', '--prompt', '0?');
    expect(plain.code, plain.notes).toBe(0);
    expect(plain.notes).toContain(hint);
    expect((await write('chat/adapter', '--prompt', '0?', '--chat')).notes).not.toContain(hint);
    cpSync(at('chat/adapter'), at('alone/adapter'), { recursive: true });
    expect((await write('alone/adapter', '--prompt', '0?')).notes).not.toContain(hint);
    // A record that is none says nothing.
    writeFileSync(at('alone/run.json'), '{}');
    expect(await write('alone/adapter', '--prompt', '0?')).toMatchObject({ code: 0 });
  });
  it('on columns of other names, of several files, packed', async () => {
    const columns = ['--columns', 'prompt=question,completion=answer'];
    const several = ['sums.csv', 'sums.jsonl'];
    const result = await train('model', several, '--out', at('sums'), ...quick, ...columns, '--arrangement', 'packed');
    expect(result).toMatchObject({ code: 0 });
    expect(record('sums').data.rows).toBe(15);
    expect(record('sums').samples!.prompt).toBe('0 + 1 =');
  });
  it('names a bad row with its place, or leaves it out on request', async () => {
    const columns = ['--columns', 'prompt=question,completion=answer'];
    const refused = await train('model', ['bad.jsonl'], '--out', at('bad'), ...quick, ...columns);
    expect(refused.code).toBe(2);
    expect(refused.notes).toMatch(/bad\.jsonl, line 5: .*; mend the row, or leave such rows out/);
    const skipped = await train('model', ['bad.jsonl'], '--out', at('bad'), ...quick, ...columns, '--skip-bad-rows');
    expect(skipped).toMatchObject({ code: 0 });
    expect(skipped.notes).toContain('2 rows are left out, the first:');
  });
  it('needs what the data need', async () => {
    const without = await train('model', ['chats.jsonl'], '--out', at('no'), ...quick);
    expect(without.notes).toMatch(/holds conversations, and \S+ has no chat template to write them/);
    const twice = await train('model', ['sums.csv'], '--out', at('no'), ...quick, '--steps', '3');
    expect(twice.notes).toContain('--steps and --epochs both say how long the run is; give one of them.');
    const unknown = await train('model', ['sums.csv'], '--out', at('no'), ...quick);
    expect(unknown.notes).toMatch(/no format that is known fits these columns/);
  });
});
