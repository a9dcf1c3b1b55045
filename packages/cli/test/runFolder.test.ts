import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { takeLock } from '@dropbp/basics';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commands } from '../src/commands.ts';
import { runCommandLine } from '../src/flags/runCommandLine.ts';
import { openRunFolder } from '../src/runFolder/runFolder.ts';
import type { RunRecord } from '../src/record/runRecord.ts';
import { renderText } from '../src/terminal/paint.ts';
import { fakeTerminal } from './fakeTerminal.ts';
import { writeTinyModel } from './tinyModelFolder.ts';

let folder: string;
const at = (name: string): string => join(folder, name);
const flags = ['--steps', '4', '--time', '16', '--batch', '2', '--sample-tokens', '0', '--evaluations', '1'];
const fast = [...flags, '--learning-rate', '0.02', '--save-every', '1'];

async function dropbp(...args: string[]): Promise<{ code: number; out: string; notes: string }> {
  const terminal = fakeTerminal();
  const code = await runCommandLine({ commands, version: '0.0.0', args, terminal });
  return { code, ...terminal.written };
}
/** Flags in pairs, of which those given replace the usual. */
const train = (out: string, ...more: string[]) => {
  const usual = fast.filter((_, i) => !more.includes(fast[i - (i % 2)]!));
  return dropbp('train', '--model', at('model'), '--data', at('text.txt'), '--out', at(out), ...usual, ...more);
};
const resume = (out: string, ...more: string[]) => dropbp('train', '--resume', '--out', at(out), ...more);
const record = (out: string) => JSON.parse(readFileSync(at(`${out}/run.json`), 'utf8')) as RunRecord;
const text = (path: string): string => readFileSync(at(path), 'latin1');
const write = (path: string, content: string): void => {
  mkdirSync(join(at(path), '..'), { recursive: true });
  writeFileSync(at(path), content);
};
/** Everything in a folder, by path. */
const contents = (path: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(at(path), { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile())
      .map(entry => [join(entry.parentPath, entry.name), readFileSync(join(entry.parentPath, entry.name), 'latin1')]),
  );

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dropbp-folder-'));
  await writeTinyModel(at('model'));
  writeFileSync(at('text.txt'), 'The quick brown fox jumps over the lazy dog. '.repeat(60));
  expect(await train('over')).toMatchObject({ code: 0 });
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('a run that was killed before it had a file', () => {
  it('can begin again, and its leftover goes', async () => {
    const left = 'unborn/.options.json.11111111-0000-4000-8000-000000000000.tmp';
    write(left, '{"format"');
    expect(await train('unborn')).toMatchObject({ code: 0 });
    expect(existsSync(at(left))).toBe(false);
    write('foreign/.thesis.11111111-0000-4000-8000-000000000000.tmp', 'mine');
    expect(await train('foreign')).toMatchObject({ code: 2, notes: expect.stringContaining('is not empty') as string });
  });
});

describe('a run that is over', () => {
  it.each([
    [
      ['--learning-rate', '0.01'],
      'so that --learning-rate would have no effect; got {"learningRate":0.01}; expected {"learningRate":0.02}',
    ],
    [['--save-every', '2'], 'so that --save-every would have no effect'],
    [['--steps', '2'], 'so that --steps would have no effect; got {"steps":2}; expected {"steps":4}'],
    [
      ['--dropout', '0.5', '--evaluations', '3', '--accept-changes', 'dropout'],
      'so that --dropout and --evaluations would',
    ],
  ])('refuses %j, which it could not use, and stays as it was', async (more, message) => {
    const before = contents('over');
    const result = await resume('over', ...more);
    expect(result).toMatchObject({ code: 2, out: '' });
    expect(result.notes).toContain(message);
    expect(contents('over')).toEqual(before);
  });
  it('keeps its record when nothing is new, and takes more steps, which the record says', async () => {
    const before = record('over');
    expect(await resume('over')).toMatchObject({ code: 0 });
    expect(record('over')).toEqual(before);
    const refused = await resume('over', '--steps', '6', '--lr', '0.001');
    expect(refused.notes).toContain('take the new on purpose by --accept-changes learningRate');
    expect(record('over')).toEqual(before);
    expect(await resume('over', '--steps', '6', '--lr', '0.001', '--accept-changes', 'learning-rate')).toMatchObject({
      code: 0,
    });
    const after = record('over');
    expect(after.steps).toHaveLength(6);
    expect(after.steps.slice(0, 4)).toEqual(before.steps);
    expect(after.steps[4]!.learningRate).toBeLessThan(0.001);
    expect(after.changes).toEqual([
      { name: 'learningRate', from: 0.02, to: 0.001, afterStep: 4 },
      { name: 'steps', from: 4, to: 6, afterStep: 4 },
    ]);
    expect(await resume('over')).toMatchObject({ code: 0 });
    expect(record('over')).toEqual(after);
  });
});

describe('a run that goes on', () => {
  it('with other data, another model or tokenizer says so, and begins the data anew on purpose', async () => {
    await train('other');
    const data = ['--steps', '5', '--data', at('other.txt')];
    writeFileSync(at('other.txt'), 'Another text, of which nothing was learned so far. '.repeat(60));
    expect((await resume('other', ...data)).notes).toMatch(
      /was made with another data; got \["file 1: 3060 bytes, SHA-256 [0-9a-f]{32}"\]; expected \["file 1: 2700 bytes/,
    );
    const tokenizer = text('model/tokenizer_config.json');
    write('model/tokenizer_config.json', `${tokenizer} `);
    expect((await resume('other', '--steps', '5')).notes).toContain('was made with another tokenizer; got');
    write('model/tokenizer_config.json', tokenizer);
    await writeTinyModel(at('model2'), { width: 64 });
    const weights = Buffer.from(text('model2/model.safetensors'), 'latin1');
    weights[weights.length - 2]! ^= 1;
    writeFileSync(at('model2/model.safetensors'), weights);
    expect((await resume('other', '--steps', '5', '--model', at('model2'))).notes).toContain(
      'was made with another model; got',
    );
    expect((await resume('other', ...data, '--accept-changes', 'dta')).notes).toContain(
      "--accept-changes does not know 'dta'; expected the name of a flag, or model, tokenizer, data",
    );
    expect(await resume('other', ...data, '--accept-changes', 'data')).toMatchObject({ code: 0 });
    expect(record('other').changes!.map(({ name }) => name)).toEqual(['data', 'steps']);
  });
  it('from a cut checkpoint is offered the older one, and goes on from that', async () => {
    await train('whole');
    await train('cut', '--steps', '3');
    truncateSync(at('cut/checkpoints/step-000003/parameters.safetensors'), 50);
    const refused = await resume('cut', '--steps', '4');
    expect(refused).toMatchObject({ code: 2, out: '' });
    expect(refused.notes).toMatch(
      /step-000003 is damaged: parameters\.safetensors was cut .* the checkpoint of step 2 is whole: go on from it by --from-step 2\.\n$/,
    );
    expect(await resume('cut', '--steps', '4', '--from-step', '2')).toMatchObject({
      code: 0,
      notes: expect.stringContaining('Going on after step 2\n') as string,
    });
    expect(readdirSync(at('cut/checkpoints')).sort()).toEqual(['aside-step-000003', 'step-000003', 'step-000004']);
  });
  it('began before its first checkpoint with changes that were accepted, and need not be accepted again', async () => {
    await train('early', '--steps', '2', '--save-every', '9');
    const changed = ['--steps', '4', '--lr', '0.001', '--accept-changes', 'lr'];
    expect(await resume('early', ...changed)).toMatchObject({ code: 0 });
    rmSync(at('early/checkpoints/step-000004'), { recursive: true });
    expect(await resume('early')).toMatchObject({ code: 0 });
    expect(record('early').changes).toEqual([
      { name: 'learningRate', from: 0.02, to: 0.001, afterStep: 2 },
      { name: 'steps', from: 2, to: 4, afterStep: 2 },
    ]);
  });
});

describe('what is not ours', () => {
  const looks = JSON.stringify({ startedAt: '2026-01-01', flags: { model: 'm', data: 'd' } });
  const own = ['--model', 'MODEL', '--data', 'DATA', ...fast];
  const given = (): string[] =>
    own.map(flag => (flag === 'MODEL' ? at('model') : flag === 'DATA' ? at('text.txt') : flag));
  it.each([
    ['no options of a run', { 'options.json': '{"a":1}', 'checkpoints/mine.txt': 'x' }],
    ['a log', { 'options.json': looks, 'log.jsonl': 'my log\n' }],
    ['a report', { 'options.json': looks, 'report.html': '<html>mine</html>' }],
    ['a record', { 'options.json': looks, 'run.json': '{"mine":1}' }],
    ['an adapter', { 'options.json': looks, 'adapter/adapter_model.safetensors': 'mine' }],
    ['a model', { 'options.json': looks, 'model/model.safetensors': 'mine' }],
    ['a folder like a checkpoint', { 'options.json': looks, 'checkpoints/step-000001/weights.bin': 'mine' }],
    ['files like those of a checkpoint', { 'options.json': looks, 'checkpoints/step-000001/state.json': '{}' }],
  ])('stays where a folder holds %s', async (what, files) => {
    for (const flag of ['--resume', '--overwrite']) {
      const out = `foreign ${what} ${flag}`;
      for (const [path, content] of Object.entries(files)) write(join(out, path), content);
      const result = await dropbp('train', '--out', at(out), ...given(), flag);
      expect(result.code).toBe(2);
      expect(contents(out)).toEqual(
        Object.fromEntries(Object.entries(files).map(([path, content]) => [at(join(out, path)), content])),
      );
    }
  });
  it('stays beside a run that begins anew or is replaced', async () => {
    const files = {
      'options.json': looks,
      'checkpoints/mine.txt': 'x',
      'tensorboard/events.out.tfevents.1.host.2': 'y',
      'adapter/README.md': 'z',
    };
    for (const [path, content] of Object.entries(files)) write(join('beside', path), content);
    rmSync(at('beside/adapter'), { recursive: true });
    expect(await dropbp('train', '--out', at('beside'), ...given(), '--resume')).toMatchObject({ code: 0 });
    write('beside/adapter/README.md', 'z');
    expect(await train('beside', '--overwrite')).toMatchObject({ code: 0 });
    for (const [path, content] of Object.entries(files))
      if (path !== 'options.json') expect(text(join('beside', path))).toBe(content);
    expect(readdirSync(at('beside/tensorboard'))).toHaveLength(2);
    write('beside/adapter/adapter_config.json', '{}');
    const refused = await train('beside', '--overwrite');
    expect(refused.notes).toContain(`${at('beside/adapter/adapter_config.json')} is in the way`);
    expect(text('beside/adapter/adapter_config.json')).toBe('{}');
  });
  it('is not written through a link', async () => {
    mkdirSync(at('elsewhere'));
    for (const name of ['adapter', 'model', 'checkpoints', 'tensorboard', 'log.jsonl']) {
      const out = `link ${name}`;
      write(join(out, 'options.json'), looks);
      symlinkSync(at('elsewhere'), at(join(out, name)));
      for (const flag of ['--resume', '--overwrite']) {
        const result = await dropbp('train', '--out', at(out), ...given(), flag);
        expect(result).toMatchObject({ code: 2 });
        expect(result.notes).toContain(
          `${at(join(out, name))} is a symbolic link, to ${at('elsewhere')}, in the place of what a run writes`,
        );
      }
    }
    expect(readdirSync(at('elsewhere'))).toEqual([]);
    symlinkSync(at('elsewhere'), at('linked'));
    expect(await train('linked')).toMatchObject({ code: 0 });
    expect(readdirSync(at('elsewhere'))).toContain('adapter');
  });
});

describe('the lock of a run', () => {
  it('keeps a second process out, which names the first', async () => {
    const first = await openRunFolder(at('locked'), { overwrite: false, resume: true });
    const second = await train('locked');
    expect(second).toMatchObject({ code: 2, out: '' });
    expect(second.notes).toMatch(
      new RegExp(`another process is at work on --out ${at('locked')}; got "process ${process.pid} on .*, since 20`),
    );
    await first.release();
    expect(existsSync(at('locked'))).toBe(false);
    expect(await train('locked')).toMatchObject({ code: 0 });
    expect(readdirSync(at('locked')).filter(name => name.startsWith('.'))).toEqual([]);
  });
  it('that another process has taken over ends the run, which writes nothing more', async () => {
    const terminal = fakeTerminal();
    let taken: Record<string, string> | undefined;
    const notes: typeof terminal.notes = said => {
      terminal.notes(said);
      if (taken !== undefined || !renderText(said).includes(' 2/4 ')) return;
      writeFileSync(at('lost/.dropbp.lock'), JSON.stringify({ pid: 1, host: 'elsewhere', key: 'x', since: '' }));
      taken = contents('lost');
    };
    const args = ['train', '--model', at('model'), '--data', at('text.txt'), '--out', at('lost'), ...fast];
    expect(await runCommandLine({ commands, version: '0.0.0', args, terminal: { ...terminal, notes } })).toBe(1);
    expect(terminal.written.notes).toContain(
      `the run in ${at('lost')} is no longer this process's: process 1 on elsewhere has taken over; nothing more is written here`,
    );
    expect(contents('lost')).toEqual(taken);
  });
  it('leaves a dry run alone, and no folder where the run does not begin', async () => {
    await takeLock('cli', at('model/.dropbp.lock'), { subject: 'x' });
    expect(await train('dry', '--dry-run')).toMatchObject({ code: 0 });
    expect(await train('dry', '--targets', 'nothing')).toMatchObject({ code: 2 });
    expect(existsSync(at('dry'))).toBe(false);
    rmSync(at('model/.dropbp.lock'));
  });
});
