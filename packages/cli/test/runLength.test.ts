import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadTokenizer, openDataset, tokenizeRows, type TokenizedRows } from '@dropbp/data';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commands } from '../src/commands.ts';
import { chooseLength } from '../src/data/runLength.ts';
import { completeFlags } from '../src/flags/parseFlags.ts';
import { runCommandLine } from '../src/flags/runCommandLine.ts';
import { trainCommand } from '../src/commands/train/trainCommand.ts';
import { trainFlags } from '../src/flags/tables/trainFlags.ts';
import { fakeTerminal } from './fakeTerminal.ts';
import { writeTinyModel } from './tinyModelFolder.ts';

let folder: string;
const at = (name: string): string => join(folder, name);
const rowsOf = (count: number): object[] =>
  Array.from({ length: count }, (_, i) => ({ prompt: `${i} + 1 =`, completion: ` ${i + 1}` }));
const write = (name: string, rows: readonly object[]): void =>
  writeFileSync(at(name), rows.map(row => `${JSON.stringify(row)}\n`).join(''));

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dropbp-length-'));
  await writeTinyModel(at('model'));
  write('some.jsonl', rowsOf(114));
  write('bad.jsonl', [...rowsOf(100), { prompt: 'no answer' }]);
});
afterAll(() => rmSync(folder, { recursive: true }));

async function train(...args: string[]) {
  const terminal = fakeTerminal();
  const line = ['train', '--backend', 'cpu', '--out', at('x'), '--dry-run', '--model', at('model'), ...args];
  const code = await runCommandLine({ commands, version: '0.0.0', args: line, terminal });
  return { code, ...terminal.written };
}

describe('how long a run is', () => {
  const tokenized = async (count: number): Promise<TokenizedRows> =>
    tokenizeRows(await openDataset(rowsOf(count)), { tokenizer: await loadTokenizer(at('model')), time: 24 });
  const given = { steps: undefined, epochs: undefined, accumulation: 1, arrangement: 'byLength' as const };

  it.each([
    // In batches of 8.
    [108, {}, { batches: 41, why: '3 epochs, the default for this much data' }],
    [6, {}, { batches: 20, why: 'the least by default: 3 epochs are only 3 steps' }],
    [6, { accumulation: 2 }, { batches: 40, why: 'the least by default: 3 epochs are only 1 step' }],
    [1200, {}, { batches: 300, why: 'the most by default: 3 epochs take longer; --epochs or --steps takes more' }],
    [4000, {}, { batches: 300, why: 'the most by default: 3 epochs take longer; --epochs or --steps takes more' }],
    [1200, { accumulation: 2 }, { batches: 450, why: '3 epochs, the default for this much data' }],
    [108, { steps: 7, accumulation: 3 }, { batches: 21, why: 'as --steps says' }],
    [108, { epochs: 2.25 }, { batches: 31, why: '2.25 epochs, as --epochs says' }],
    [108, { epochs: 0.01 }, { batches: 1, why: '0.01 epochs, as --epochs says' }],
    [108, { epochs: 1, arrangement: 'inOrder' as const }, { batches: 14, why: '1 epoch, as --epochs says' }],
    [108, { epochs: 2, arrangement: 'packed' as const }, { why: '2 epochs, as --epochs says', epochs: 2 }],
    [1000, { epochs: 1e6 }, { batches: 125_000_000, why: '1,000,000 epochs, as --epochs says' }],
  ])('%d rows, %j', async (count, flags, expected) => {
    const { arrangement, ...length } = { ...given, ...flags };
    expect(await chooseLength(await tokenized(count), { batch: 8, arrangement }, length)).toMatchObject(expected);
  });
  it('does not hide how often the data come, however short it is', async () => {
    const rows = await tokenized(108);
    const epochsOf = async (steps: number) =>
      (await chooseLength(rows, { batch: 8, arrangement: 'byLength' }, { ...given, steps })).epochs;
    expect([await epochsOf(2), await epochsOf(54)]).toEqual([16 / 108, 4]);
    expect((await chooseLength(await tokenized(4000), { batch: 8 }, { ...given, steps: 2 })).epochs).toBeUndefined();
  });
  it('is said by --dry-run', async () => {
    const { out } = await train('--data', at('some.jsonl'), '--time', '24');
    expect(out).toMatch(/steps +41 of 8 sequences.*: 3 epochs, the default for this much data/);
  });
  it.each(['0', '-1', 'NaN', 'Infinity'])('is refused: --epochs %s', async epochs => {
    const { code, notes } = await train('--data', at('some.jsonl'), '--epochs', epochs);
    expect([code, notes]).toEqual([2, expect.stringContaining('expected a number > 0')]);
  });
});

describe('flags beside a configuration file', () => {
  const flagsWith = async (config: string, given: Record<string, unknown>) => {
    writeFileSync(at('run.yaml'), config);
    const line = new Map(
      Object.entries({ ...given, model: 'm', out: at('none'), data: ['d'], config: at('run.yaml') }),
    );
    return completeFlags(trainFlags, line, ...(await trainCommand.layers!(line, fakeTerminal())));
  };
  it.each([
    ['epochs: 2', { steps: 5 }, { steps: 5, epochs: undefined }],
    ['steps: 5', { epochs: 2.5 }, { steps: undefined, epochs: 2.5 }],
    ['steps: 5\nrate: 0.5', { memory: '64GiB' }, { steps: 5, rate: undefined, memory: '64GiB' }],
    ['memory: 64GiB', { rate: 0 }, { rate: 0, memory: undefined }],
    ['timeSaved: 0.3', { rate: 0.2 }, { rate: 0.2, timeSaved: undefined }],
    ['steps: 5\nbatch: 2', { batch: 4 }, { steps: 5, batch: 4 }],
  ])('win, also where they say the same by another name: %j with %j', async (config, given, expected) => {
    expect(await flagsWith(config, given)).toMatchObject(expected);
  });
  it('do not settle what a file says twice', async () => {
    writeFileSync(at('twice.yaml'), 'steps: 5\nepochs: 2');
    const { code, notes } = await train('--data', at('some.jsonl'), '--config', at('twice.yaml'));
    expect([code, notes]).toEqual([2, expect.stringContaining('--steps and --epochs both say how long the run is')]);
  });
});

describe('a bad row', () => {
  it('shows before the model is loaded', async () => {
    const { code, notes } = await train('--data', at('bad.jsonl'));
    expect(code).toBe(2);
    expect(notes).toContain("bad.jsonl, line 101: the row has no 'completion'");
    expect(notes).not.toContain('Loading');
  });
});
