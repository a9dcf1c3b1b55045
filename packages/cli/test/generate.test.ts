import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commands } from '../src/commands.ts';
import { runCommandLine } from '../src/flags/runCommandLine.ts';
import type { Written } from '../src/answers/writer.ts';
import type { Interrupt, Terminal } from '../src/terminal/terminal.ts';
import { fakeTerminal } from './fakeTerminal.ts';
import { writeTinyModel } from './tinyModelFolder.ts';

const ggufs = fileURLToPath(new URL('../../models/test/fixtures/gguf', import.meta.url));
const template =
  "{% for m in messages %}{{ m.role[0] + ':' + m.content + '\n' }}{% endfor %}{% if add_generation_prompt %}a:{% endif %}";

let folder: string;
const at = (name: string): string => join(folder, name);
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dropbp-generate-'));
  await writeTinyModel(at('model'));
  cpSync(at('model'), at('chat'), { recursive: true });
  writeFileSync(at('chat/chat_template.jinja'), template);
});
afterAll(() => rmSync(folder, { recursive: true }));

async function generate(options: Partial<Terminal>, ...flags: string[]) {
  const terminal = fakeTerminal(options);
  const args = ['generate', '--backend', 'cpu', '--max-new-tokens', '12', '--seed', '1', ...flags];
  const code = await runCommandLine({ commands, version: '0', args, terminal });
  return { code, ...terminal.written };
}
type Answer = Written & { readonly prompt: string };
const linesOf = (out: string): Answer[] => out.trimEnd().split('\n').map(line => JSON.parse(line) as Answer); // prettier-ignore

describe('dropbp generate', () => {
  it('ends at a text, which it does not give out', async () => {
    const whole = linesOf((await generate({}, '--model', at('model'), '--prompt', 'The', '--json')).out)[0]!;
    expect(whole).toMatchObject({ prompt: 'The', tokens: 12, ended: 'length' });
    const stop = whole.text.slice(3, 5);
    const cut = linesOf((await generate({}, '--model', at('model'), '--prompt', 'The', '--json', '--stop', stop)).out)[0]!; // prettier-ignore
    expect(cut).toMatchObject({ text: whole.text.slice(0, whole.text.indexOf(stop)), ended: 'stop' });
  });
  it('reads a prompt from standard input', async () => {
    const { code, out } = await generate({ input: Readable.from(['To be']) }, '--model', at('model'), '--prompt', '-');
    expect(code).toBe(0);
    expect(out).toMatch(/^To be[^]+\n$/);
  });
  it('answers once by the chat template', async () => {
    const { code, out, notes } = await generate({}, '--model', at('chat'), '--chat', '--prompt', 'Hi', '--system', 'Be brief', '--json'); // prettier-ignore
    expect(code, notes).toBe(0);
    const plain = await generate({}, '--model', at('model'), '--prompt', 's:Be brief\nu:Hi\na:', '--json');
    expect(linesOf(out)[0]!.text).toBe(linesOf(plain.out)[0]!.text);
    expect(linesOf(out)[0]!.prompt).toBe('Hi');
  });
  it('talks, line by line, and forgets when it is told to', async () => {
    const input = Readable.from(['Hi\n', '\nMore\n/reset\n', 'Hi\n/nothing\n/exit\nnot read\n']);
    const { code, out, notes } = await generate({ input }, '--model', at('chat'), '--chat', '--conversation', '--json');
    expect(code, notes).toBe(0);
    const answers = linesOf(out);
    expect(answers.map(({ prompt }) => prompt)).toEqual(['Hi', 'More', 'Hi']);
    expect(answers[2]!.text).toBe(answers[0]!.text);
    const asked = `u:Hi\na:${answers[0]!.text}\nu:More\na:`;
    const again = await generate({}, '--model', at('model'), '--prompt', asked, '--json');
    expect(linesOf(again.out)[0]!.text).toBe(answers[1]!.text);
    expect(notes).toContain('There is no /nothing: /reset forgets the conversation');
  });
  it('takes lines of standard input as questions of their own', async () => {
    const lines = ['Hi\n', 'More\n/reset\n', '/etc is what?\n\n', `${'long '.repeat(20)}\n`, 'Hi\n/exit\nnot read\n'];
    const { code, out, notes } = await generate({ input: Readable.from(lines) }, '--model', at('chat'), '--chat', '--json'); // prettier-ignore
    const answers = linesOf(out);
    expect(answers.map(({ prompt }) => prompt)).toEqual([
      'Hi',
      'More',
      '/etc is what?',
      'long '.repeat(20).trim(),
      'Hi',
    ]);
    for (const i of [0, 1, 2, 4]) {
      const alone = await generate({}, '--model', at('chat'), '--chat', '--json', '--prompt', answers[i]!.prompt);
      expect(answers[i]!.text).toBe(linesOf(alone.out)[0]!.text);
    }
    // A question that cannot be answered shows in its place, and in the end.
    expect(answers[3]).toMatchObject({ error: expect.stringContaining('as many tokens as the model has positions for') as string }); // prettier-ignore
    expect([code, notes]).toEqual([2, expect.stringContaining('as many tokens as the model has positions for')]);
  });
  it('keeps talking with whoever types', async () => {
    const input = Object.assign(Readable.from(['Hi\n', 'More\n']), { isTTY: true });
    const { out } = await generate({ input }, '--model', at('chat'), '--chat', '--json');
    const [first, second] = linesOf(out);
    const asked = `u:Hi\na:${first!.text}\nu:More\na:`;
    const again = await generate({}, '--model', at('model'), '--prompt', asked, '--json');
    expect(linesOf(again.out)[0]!.text).toBe(second!.text);
  });
  it('leaves out the beginning of a conversation that has no room, and refuses a question that never has', async () => {
    const input = Readable.from(['One question\n', 'Another question\n', `${'long '.repeat(20)}\n`, 'Last\n']);
    const { code, out, notes } = await generate({ input }, '--model', at('chat'), '--chat', '--conversation');
    expect(code).toBe(0);
    expect(notes).toContain('The beginning of the conversation has no room any more\n');
    expect(notes).toContain('the text has as many tokens as the model has positions for');
    expect(out.split('\n').length).toBeGreaterThanOrEqual(3);
  });
  it('stops at Ctrl-C, with what there is', async () => {
    const onInterrupt = (listener: (signal: Interrupt) => void) => {
      setImmediate(() => listener('SIGINT'));
      return () => undefined;
    };
    const { code, out } = await generate({ onInterrupt }, '--model', at('model'), '--prompt', 'The', '--json');
    expect(code).toBe(130);
    expect(linesOf(out)[0]).toMatchObject({ ended: 'interrupt' });
  });
  it('shows a GGUF file, and says what it lacks to be written with', async () => {
    const file = join(ggufs, 'llama.gguf');
    const { code, notes } = await generate({}, '--model', file, '--prompt', 'a');
    expect([code, notes]).toEqual([2, expect.stringContaining('the tokenizer is of a kind that is not made')]);
    const terminal = fakeTerminal();
    expect(await runCommandLine({ commands, version: '0', args: ['inspect', file], terminal })).toBe(0);
    expect(terminal.written.out).toMatch(/^architecture +llama\n/);
    expect(terminal.written.out).toMatch(/blk\.\*\.attn_q\.weight/);
  });
  it.each([
    [['--model', 'x'], 'there is nothing to continue; give --prompt, --data, or --chat to talk.'],
    [['--prompt', 'a'], 'there is no model; give --model, or --adapter.'],
    [['--model', 'x', '--prompt', 'a', '--system', 'b'], '--system has no effect without --chat.'],
    [['--model', 'x', '--prompt', 'a', '--data', 'b'], '--prompt and --data both say what to continue'],
    [['--model', 'x', '--prompt', 'a', '--out', 'b', '--batch', '2'], '--out and --batch would have no effect without --data'],
    [['--model', 'x', '--data', 'a', '--resume'], '--resume would have no effect without --out'],
    [['--model', 'x', '--prompt', 'a', '--conversation'], '--conversation is for the lines of standard input, with --chat'],
    [['--model', 'x', '--chat', '--template', '{a}'], '--template needs --data or a --prompt'],
    [['--model', 'x', '--data', 'a', '--template', String.raw`\d{a}`], String.raw`--template is not usable; got "\\d"; expected \n, \t, \r, or \\ for a backslash`],
    [['--model', 'x', '--prompt', 'a', '--top-k', '3', '--temperature', '0'], '--top-k and --top-p have no effect with --temperature 0'],
    [['--model', './no.gguf', '--prompt', 'a'], 'there is no file ./no.gguf.'],
  ])('refuses %j', async (flags, message) => {
    const { code, notes } = await generate({}, ...flags);
    expect([code, notes.includes(message) ? message : notes]).toEqual([2, message]);
  }); // prettier-ignore
  it('refuses to talk with a model that has no template', async () => {
    const { code, notes } = await generate({}, '--model', at('model'), '--chat', '--prompt', 'a');
    expect(code).toBe(2);
    expect(notes).toContain('has no chat template; expected a model that was trained to chat');
  });
});

describe('dropbp merge', () => {
  it('leaves a model that writes as base and adapter do', async () => {
    const run = (...args: string[]) => {
      const terminal = fakeTerminal();
      return runCommandLine({ commands, version: '0', args, terminal }).then(code => ({ code, ...terminal.written }));
    };
    writeFileSync(at('text.txt'), 'The quick brown fox jumps over the lazy dog. '.repeat(20));
    const flags = ['--steps', '4', '--batch', '2', '--time', '16', '--sample-tokens', '0', '--learning-rate', '0.05'];
    await run('train', '--model', at('model'), '--data', at('text.txt'), '--out', at('run'), ...flags);
    const merged = await run('merge', '--adapter', at('run/adapter'), '--out', at('merged'));
    expect(merged).toMatchObject({ code: 0 });
    const written = await generate({}, '--model', at('merged'), '--prompt', 'The', '--temperature', '0');
    const adapted = await generate({}, '--adapter', at('run/adapter'), '--prompt', 'The', '--temperature', '0');
    const plain = await generate({}, '--model', at('model'), '--prompt', 'The', '--temperature', '0');
    expect(written.out).toBe(adapted.out);
    expect(written.out).not.toBe(plain.out);
    const config = JSON.parse(readFileSync(at('merged/config.json'), 'utf8')) as object;
    expect(config).toMatchObject({ torch_dtype: 'float32' });
    const again = await run('merge', '--adapter', at('run/adapter'), '--out', at('merged'));
    expect(again).toMatchObject({ code: 2, notes: `dropbp merge: --out ${at('merged')} exists; choose another folder.\n` }); // prettier-ignore
    // What a killed merge left goes with the next; what holds files of others stays.
    const hidden = (n: number): string => at(`later/.model.${String(n).repeat(8)}-0000-4000-8000-000000000000.tmp`);
    for (const n of [1, 2]) mkdirSync(hidden(n), { recursive: true });
    writeFileSync(join(hidden(1), 'model-00001-of-00002.safetensors'), 'half');
    writeFileSync(join(hidden(1), '.config.json.11111111-0000-4000-8000-000000000000.tmp'), '');
    writeFileSync(join(hidden(2), 'thesis.doc'), 'mine');
    expect(await run('merge', '--adapter', at('run/adapter'), '--out', at('later/model'))).toMatchObject({ code: 0 });
    expect(readdirSync(at('later')).sort()).toEqual([basename(hidden(2)), 'model']);
    symlinkSync('nowhere', at('link'));
    const linked = await run('merge', '--adapter', at('no adapter'), '--out', at('link'));
    expect(linked).toMatchObject({ code: 2, notes: `dropbp merge: --out ${at('link')} is a symbolic link, to nowhere; choose another folder.\n` }); // prettier-ignore
    // Nothing is written or read: a base without a tokenizer will do.
    cpSync(at('model'), at('mute'), { recursive: true });
    rmSync(at('mute/tokenizer.json'));
    const mute = await run('merge', '--model', at('mute'), '--adapter', at('run/adapter'), '--out', at('mute-merged'));
    expect(mute).toMatchObject({ code: 0 });
    const half = await run('merge', '--adapter', at('run/adapter'), '--out', at('half'), '--dtype', 'F16', '--json');
    expect(JSON.parse(half.out)).toMatchObject({ written: at('half'), base: at('model'), quantised: [] });
  });
});
