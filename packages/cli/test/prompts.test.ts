import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
const lines = (rows: readonly object[]): string => rows.map(row => `${JSON.stringify(row)}\n`).join('');

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dropbp-prompts-'));
  await writeTinyModel(at('model'));
  const titles = Array.from({ length: 8 }, (_, i) => ({
    title: `No ${i}`,
    category: i % 2 === 0 ? 'sea' : 'sport',
    id: i,
  }));
  writeFileSync(at('titles.jsonl'), lines(titles));
  writeFileSync(
    at('glued.jsonl'),
    lines(titles.map(({ title, category }) => ({ prompt: title, completion: category }))),
  );
  writeFileSync(at('spaced.jsonl'), lines(titles.map(({ title, category }) => ({ prompt: `${title} `, completion: category })))); // prettier-ignore
  writeFileSync(at('long.jsonl'), lines(titles.map(({ title, id }) => ({ prompt: title.repeat(id < 3 ? 20 : 1), completion: ' x' })))); // prettier-ignore
});
afterAll(() => rmSync(folder, { recursive: true }));

async function run(...args: string[]) {
  const terminal = fakeTerminal();
  const code = await runCommandLine({ commands, version: '0.0.0', args, terminal });
  return { code, ...terminal.written };
}
const train = (data: string, ...flags: string[]) =>
  run('train', '--model', at('model'), '--data', at(data), '--backend', 'cpu', '--batch', '2', '--rate', '0', ...flags);
const dryRun = (data: string, ...flags: string[]) => train(data, '--out', at('x'), '--dry-run', '--json', ...flags);
const template = String.raw`Title: {title}\nCategory:`;

describe('prompts and completions', () => {
  const warning = 'Warning: prompt and completion touch in 8 of 8 rows, as in "No 0sea"';
  it('are warned of where they touch, once, before and while training', async () => {
    const planned = await dryRun('glued.jsonl');
    expect(planned.code, planned.notes).toBe(0);
    expect(planned.notes.split(warning)).toHaveLength(2);
    expect((JSON.parse(planned.out) as DryRun).data.gluedRows).toBe(8);
    const trained = await train('glued.jsonl', '--out', at('glued'), '--steps', '2', '--sample-tokens', '0');
    expect(trained.notes.split(warning)).toHaveLength(2);
    const spaced = await dryRun('spaced.jsonl');
    expect(spaced.notes).not.toContain('Warning');
    expect((JSON.parse(spaced.out) as DryRun).data.gluedRows).toBe(0);
  });
  it('are warned of where the whole answer is cut away', async () => {
    const { code, notes } = await dryRun('long.jsonl', '--held-out', '0', '--time', '32');
    expect(code, notes).toBe(0);
    expect(notes).toContain('3 sequences hold no token of an answer, so nothing is learned there. Make sequences longer with --time');
  }); // prettier-ignore
  it('are warned of where no token ends them', async () => {
    cpSync(at('model'), at('endless'), { recursive: true });
    writeFileSync(at('endless/tokenizer_config.json'), '{}');
    const flags = ['--data', at('spaced.jsonl'), '--backend', 'cpu', '--out', at('x'), '--dry-run'];
    const { notes } = await run('train', '--model', at('endless'), ...flags);
    expect(notes).toContain('The tokenizer names no token that ends a text');
  });
});

describe('--template', () => {
  const columns = ['--columns', 'completion=category'];
  it('makes prompts from columns, with a space in front of the answer and the end behind it', async () => {
    const { code, out, notes } = await dryRun('titles.jsonl', '--template', template, ...columns);
    expect(code, notes).toBe(0);
    expect(notes).not.toContain('Warning');
    const { examples, data } = JSON.parse(out) as DryRun;
    expect(examples[0]).toEqual([
      { text: 'Title: No 0\nCategory:', counts: false },
      { text: ' sea<|end|>', counts: true },
    ]);
    expect(data.explanation).toContain(
      String.raw`Each row is a prompt by the template "Title: {title}\nCategory:", and 'category' follows it (completion). Not read: 'id'.`,
    );
  });
  it('is recorded with the run, resumed, and applied where the adapter answers rows', async () => {
    const flags = ['--out', at('run'), '--steps', '2', '--sample-tokens', '0', '--template', template, ...columns];
    const trained = await train('titles.jsonl', ...flags);
    expect(trained.code, trained.notes).toBe(0);
    const { options } = JSON.parse(readFileSync(at('run/run.json'), 'utf8')) as RunRecord;
    expect(options.template).toBe('Title: {title}\nCategory:');
    expect(await run('train', '--resume', '--out', at('run'), '--steps', '4')).toMatchObject({ code: 0 });
    expect((JSON.parse(readFileSync(at('run/run.json'), 'utf8')) as RunRecord).options.template).toBe(options.template);

    const ask = ['generate', '--adapter', at('run/adapter'), '--backend', 'cpu', '--temperature', '0', '--max-new-tokens', '4']; // prettier-ignore
    const applied = await run(...ask, '--data', at('titles.jsonl'));
    expect(applied.code, applied.notes).toBe(0);
    expect(applied.notes).toContain(`Prompts as the adapter learned them: --template '${template}'`);
    const said = await run(...ask, '--data', at('titles.jsonl'), '--template', template, ...columns);
    expect(applied.out).toBe(said.out);
    expect(JSON.parse(said.out.split('\n')[0]!)).toMatchObject({ title: 'No 0', category: 'sea', reference: 'sea' });
    const once = await run(...ask, '--prompt', 'No 0');
    expect(once.notes).toContain(`learned from prompts of a template: --template '${template}' fills`);
    // Rows without its columns are read as they are.
    const other = await run(...ask, '--data', at('spaced.jsonl'));
    expect([other.code, other.notes]).toEqual([0, expect.not.stringContaining('Prompts as the adapter')]);
  });
  it('names the columns where it reads another one', async () => {
    const { code, notes } = await dryRun('titles.jsonl', '--template', 'T: {titel}', ...columns);
    expect([code, notes]).toEqual([2, expect.stringContaining("there is no column 'titel'; expected one of 'title', 'category', 'id'; did you mean '{title}'?")]); // prettier-ignore
    const unsaid = await dryRun('titles.jsonl', '--template', template);
    expect(unsaid.notes).toContain('say which one it is, such as --columns completion=category');
  });
});
