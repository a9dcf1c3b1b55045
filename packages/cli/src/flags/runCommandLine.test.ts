import { problem } from '@dropbp/basics';
import { describe, expect, it } from 'vitest';
import { fakeTerminal } from '../../test/fakeTerminal.ts';
import { command } from './command.ts';
import { number, positiveInteger, toggle } from './flag.ts';
import { runCommandLine } from './runCommandLine.ts';

const failing = command({
  name: 'fail',
  summary: 'Fails in several ways.',
  positional: { placeholder: '<how>', help: 'the way to fail' },
  flags: { times: number(positiveInteger, 'how often', 3), json: toggle('as JSON') },
  sections: { json: 'Other' },
  examples: ['dropbp fail hard', 'dropbp fail softly --times 2'],
  run(flags, [how], terminal) {
    if (how === 'fine') terminal.out(`${flags.times} times\n`);
    if (how === 'problem') throw problem('cli', { what: 'it went wrong', fix: 'try again' });
    if (how === 'failure') throw problem('cli', { what: 'the disk is full', isFailure: true });
    if (how === 'system')
      throw Object.assign(new Error("ENOENT: no such file, open 'x'"), { code: 'ENOENT', syscall: 'open' });
    if (how === 'bug') throw new TypeError('undefined is not a function');
    return Promise.resolve();
  },
});

async function run(...args: string[]) {
  const terminal = fakeTerminal();
  const code = await runCommandLine({ commands: [failing], version: '1.2.3', args, terminal });
  return { code, ...terminal.written };
}

describe('runCommandLine', () => {
  it('runs a command', async () => {
    expect(await run('fail', 'fine', '--times', '2')).toEqual({ code: 0, out: '2 times\n', notes: '' });
  });
  it('tells what the user can mend, in one line', async () => {
    const notes = 'dropbp fail: it went wrong; try again.\n';
    expect(await run('fail', 'problem')).toEqual({ code: 2, out: '', notes });
    expect(await run('fail', 'failure')).toMatchObject({ code: 1, notes: 'dropbp fail: the disk is full.\n' });
    expect(await run('fail', 'system')).toMatchObject({
      code: 1,
      notes: "dropbp fail: ENOENT: no such file, open 'x'\n",
    });
  });
  it('takes the place of a line that says what is going on', async () => {
    const terminal = fakeTerminal({ isInteractive: true });
    await runCommandLine({ commands: [failing], version: '1', args: ['fail', 'problem'], terminal });
    expect(terminal.written.notes).toBe('\r\u001B[2Kdropbp fail: it went wrong; try again.\n');
  });
  it('shows the stack of a fault of its own', async () => {
    const { code, notes } = await run('fail', 'bug');
    expect(code).toBe(70);
    expect(notes).toContain('TypeError: undefined is not a function\n    at ');
  });
  it('refuses command lines that it does not understand with 2', async () => {
    expect(await run('fial')).toEqual({
      ...{ code: 2, out: '', notes: "dropbp: there is no command 'fial'; expected fail; did you mean fail?\n" },
    });
    expect(await run('fail')).toMatchObject({
      code: 2,
      notes: 'dropbp fail: <how> is missing; expected the way to fail.\n',
    });
    expect(await run('fail', 'a', 'b')).toMatchObject({ code: 2 });
    expect(await run('fail', 'a', '--tmies', '1')).toMatchObject({ code: 2 });
    const nothing = await run();
    expect(nothing).toMatchObject({ code: 2, out: '' });
    expect(nothing.notes).toContain('Usage  dropbp <command> [flags]');
  });
  it('explains itself', async () => {
    const { code, out } = await run('fail', '--times', '--help');
    expect(code).toBe(0);
    expect(out).toBe(`Fails in several ways.

Usage  dropbp fail <how> [flags]

  <how>        the way to fail
  --times <n>  how often [3]

Other
  --json       as JSON

Examples
  dropbp fail hard
  dropbp fail softly --times 2
`);
    expect(await run('help', 'fail')).toMatchObject({ code: 0, out });
    expect((await run('--help')).out).toContain('  fail  Fails in several ways.');
    expect(await run('--version')).toEqual({ code: 0, out: '1.2.3\n', notes: '' });
  });
  it('leaves --help behind -- to the command', async () => {
    expect(await run('fail', '--', '--help')).toMatchObject({ code: 0, out: '' });
  });
});
