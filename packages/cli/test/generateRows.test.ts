import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commands } from '../src/commands.ts';
import { runCommandLine } from '../src/flags/runCommandLine.ts';
import type { Interrupt, Terminal } from '../src/terminal/terminal.ts';
import { fakeTerminal } from './fakeTerminal.ts';
import { writeTinyModel } from './tinyModelFolder.ts';

const template =
  "{% for m in messages %}{{ m.role[0] + ':' + m.content + '\n' }}{% endfor %}{% if add_generation_prompt %}a:{% endif %}";

let folder: string;
const at = (name: string): string => join(folder, name);
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dropbp-rows-'));
  await writeTinyModel(at('model'), { spread: 0.5 });
  cpSync(at('model'), at('chat'), { recursive: true });
  writeFileSync(at('chat/chat_template.jinja'), template);
});
afterAll(() => rmSync(folder, { recursive: true }));

type Row = Readonly<Record<string, unknown>>;

async function run(options: Partial<Terminal>, ...args: string[]) {
  const terminal = fakeTerminal(options);
  const code = await runCommandLine({ commands, version: '0', args, terminal });
  return { code, ...terminal.written };
}
const generate = (model: string, ...flags: string[]) =>
  run(
    {},
    'generate',
    '--model',
    at(model),
    '--backend',
    'cpu',
    '--temperature',
    '0',
    '--max-new-tokens',
    '10',
    ...flags,
  );
function write(name: string, rows: readonly object[]): string {
  writeFileSync(at(name), rows.map(row => `${JSON.stringify(row)}\n`).join(''));
  return at(name);
}
const rowsOf = (text: string): Row[] => text.trimEnd().split('\n').map(line => JSON.parse(line) as Row); // prettier-ignore
const read = (name: string): Row[] => rowsOf(readFileSync(at(name), 'utf8'));

const prompts = ['The', 'To be or not', 'x', 'Once upon a time there was a', 'é'].map((prompt, id) => ({ id, prompt }));

describe('dropbp generate --data', () => {
  it('answers prompts in their order, alike in batches and one at a time', async () => {
    // The last leaves room for fewer tokens than the others.
    const rows = [...prompts, { id: 5, prompt: 'a'.repeat(60), completion: 'ab' }];
    const data = write('prompts.jsonl', rows);
    for (const batch of ['1', '4', '100']) {
      const { code, notes } = await generate('model', '--data', data, '--out', at(`answers-${batch}.jsonl`), '--batch', batch);
      expect(code, notes).toBe(0);
    } // prettier-ignore
    const answers = read('answers-1.jsonl');
    expect(new Set(answers.map(({ answer }) => answer)).size).toBeGreaterThan(3);
    expect(read('answers-4.jsonl')).toEqual(answers);
    expect(read('answers-100.jsonl')).toEqual(answers);
    answers.forEach((answer, i) => expect(answer).toMatchObject(rows[i]!));
    expect(answers.map(({ reference }) => reference)).toEqual([...prompts.map(() => undefined), 'ab']);
    for (const [i, { prompt }] of prompts.entries()) {
      const { out } = await generate('model', '--prompt', prompt, '--json');
      expect(answers[i]!.answer).toBe((JSON.parse(out) as Row).text);
    }
    expect(existsSync(at('answers-4.jsonl.part'))).toBe(false);
  });
  it('answers the last turn of chats, whose own answer is the reference', async () => {
    const talk = [{ role: 'user', content: 'Hi' }, { role: 'assistant', content: 'Yes' }, { role: 'user', content: 'So?' }]; // prettier-ignore
    const data = write('chats.jsonl', [
      { messages: talk },
      { messages: [...talk, { role: 'assistant', content: 'No' }], id: 7 },
      { messages: [{ role: 'system', content: 'b' }, talk[0]!] },
    ]);
    const { code, out, notes } = await generate('chat', '--data', data);
    expect(code, notes).toBe(0);
    const answers = rowsOf(out);
    const { out: alone } = await generate('model', '--prompt', 'u:Hi\na:Yes\nu:So?\na:', '--json');
    const { text } = JSON.parse(alone) as Row;
    expect(answers.slice(0, 2)).toEqual([
      { messages: talk, answer: text },
      { messages: [...talk, { role: 'assistant', content: 'No' }], id: 7, reference: 'No', answer: text },
    ]);
    const begun = rowsOf((await generate('chat', '--data', data, '--system', 'b')).out);
    const { out: withSystem } = await generate('model', '--prompt', 's:b\nu:Hi\na:', '--json');
    expect(begun[2]!.answer).toBe((JSON.parse(withSystem) as Row).text);
    expect(begun[0]!.answer).not.toBe(answers[0]!.answer);
    const asked = rowsOf((await generate('chat', '--data', write('asks.jsonl', [{ prompt: 'Hi' }]), '--chat')).out);
    const { out: question } = await generate('chat', '--chat', '--prompt', 'Hi', '--json');
    expect(asked[0]!.answer).toBe((JSON.parse(question) as Row).text);
  });
  it('ends each answer at a text of its own', async () => {
    const data = write('stops.jsonl', prompts);
    const whole = rowsOf((await generate('model', '--data', data)).out).map(({ answer }) => answer as string);
    const stop = whole[0]!.slice(2, 4);
    const cut = rowsOf((await generate('model', '--data', data, '--stop', stop)).out);
    expect(cut.map(({ answer }) => answer)).toEqual(whole.map(text => text.split(stop)[0]));
  });
  it('leaves whole rows when it is stopped, and goes on with them', async () => {
    const data = write('long.jsonl', prompts);
    const flags = ['--data', data, '--out', at('resumed.jsonl'), '--batch', '2', '--max-new-tokens', '5'];
    const arguments_ = ['generate', '--model', at('model'), '--backend', 'cpu', '--temperature', '0', ...flags];
    let pieces = 0;
    const onInterrupt = (listener: (signal: Interrupt) => void) => {
      const timer = setInterval(() => {
        const lines = existsSync(at('resumed.jsonl.part')) ? readFileSync(at('resumed.jsonl.part'), 'utf8').split('\n') : [];
        if (lines.length > 3 && pieces++ === 0) listener('SIGINT');
      }, 1);
      return () => clearInterval(timer);
    }; // prettier-ignore
    const stopped = await run({ onInterrupt }, ...arguments_);
    expect([stopped.code, existsSync(at('resumed.jsonl'))]).toEqual([130, false]);
    expect(stopped.notes).toMatch(/Stopped after [24] of 5 rows\. The same command with --resume goes on\n/);
    // As a kill would leave it.
    writeFileSync(at('resumed.jsonl.part'), `${readFileSync(at('resumed.jsonl.part'), 'utf8')}{"id": 2, "pro`);
    expect((await run({}, ...arguments_)).notes).toContain('an earlier command stopped before');
    const other = await run({}, ...arguments_, '--resume', '--stop', 'a');
    expect([other.code, other.notes]).toEqual([
      2,
      expect.stringContaining('were answered with another stop; got ["a"]'),
    ]);
    const elsewhere = await run({}, ...arguments_.map(flag => (flag === data ? write('other.jsonl', prompts.toReversed()) : flag)), '--resume'); // prettier-ignore
    expect([elsewhere.code, elsewhere.notes]).toEqual([2, expect.stringContaining('row 1 of')]);
    expect(await run({}, ...arguments_, '--resume')).toMatchObject({ code: 0 });
    const whole = await run({}, ...arguments_.map(flag => flag.replace('resumed', 'whole')));
    expect(whole).toMatchObject({ code: 0 });
    expect(readFileSync(at('resumed.jsonl'), 'utf8')).toBe(readFileSync(at('whole.jsonl'), 'utf8'));
    expect((await run({}, ...arguments_)).notes).toContain('exists; choose another name, or give --overwrite');
    expect(await run({}, ...arguments_, '--overwrite')).toMatchObject({ code: 0 });
  });
  it('fills a template with columns, and a prompt into one of one column', async () => {
    const data = write('titles.jsonl', [{ title: 'Hi', n: 3 }]);
    const asked = String.raw`T: {title}\nN: {n}\n`;
    const [row] = rowsOf((await generate('model', '--data', data, '--template', asked)).out);
    const { out } = await generate('model', '--prompt', 'T: Hi\nN: 3\n', '--json');
    expect(row).toEqual({ title: 'Hi', n: 3, answer: (JSON.parse(out) as Row).text });
    const filled = await generate('model', '--prompt', 'Hi', '--template', String.raw`T: {x}\nN: 3\n`, '--json');
    expect((JSON.parse(filled.out) as Row).text).toBe(row!.answer);
  });
  it.each([
    ['long', [{ prompt: 'a' }, { prompt: 'a'.repeat(64) }], [], 'line 2: the prompt has 64 tokens; expected at most 63'],
    ['chats', [{ messages: [{ role: 'user', content: 'a' }] }], [], 'line 1: this is a conversation, and the model has no chat template'],
    ['taken', [{ prompt: 'a', answer: 'b' }], [], "line 1: the row has a column 'answer' of its own, where --out is to hold the answer; give another name for it by --answer-column"],
    ['empty', [{ prompt: '' }], [], 'line 1: the prompt is empty'],
    ['begun', [{ prompt: 'a' }], ['--system', 'b'], 'line 1: this is not a conversation, which --system could begin'],
    ['none', [], [], 'none.jsonl holds no row'],
    ['columns', [{ title: 'a' }], ['--template', 'T: {titel}'], "there is no column 'titel'; expected one of 'title'; did you mean '{title}'?"],
    ['other', [{ id: 1 }], [], 'no format that is known fits these columns; got ["id"]'],
  ])('refuses rows before any is answered: %s', async (name, rows, flags, message) => {
    const { code, out, notes } = await generate('model', '--data', write(`${name}.jsonl`, rows), ...flags);
    expect([code, out, notes.includes(message) ? message : notes]).toEqual([2, '', message]);
  }); // prettier-ignore
});
