import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { classificationBatches, saveClassifier, sequenceClassification } from '@dropbp/classify';
import { compose } from '@dropbp/compose';
import { loadTokenizer, type ClassScores } from '@dropbp/data';
import { loadModel, withHead } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';
import { fineTune } from '@dropbp/train';
import { commands } from '../src/commands.ts';
import { runCommandLine } from '../src/flags/runCommandLine.ts';
import { fakeTerminal } from './fakeTerminal.ts';
import { writeTinyModel } from './tinyModelFolder.ts';

const rows = [
  ...[
    { text: 'aaa', label: 'vowels' },
    { text: 'xyz', label: 'others' },
    { text: 'aeiou', label: 'vowels' },
  ],
  ...[
    { text: 'bcd', label: 'others' },
    { text: 'eee', label: 'vowels' },
    { text: 'xxxx', label: 'others' },
  ],
];
const labels = ['vowels', 'others'];

let folder: string;
const at = (name: string): string => join(folder, name);
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dropbp-classify-'));
  await writeTinyModel(at('model'));
  await tf.setBackend('cpu');
  const base = await loadModel(at('model'));
  const tokenizer = await loadTokenizer(at('model'));
  const model = withHead(base, { task: 'sequence-classification', labels });
  const adapter = lora({ rank: 4, targetModules: 'all-linear', modulesToSave: ['score'], seed: 1 });
  const tuned = compose(model, { adapter, objective: sequenceClassification() });
  await fineTune(tuned, classificationBatches(rows, tokenizer, { labels, seed: 1 }), { steps: 20, learningRate: 2e-2 });
  await saveClassifier(tuned, at('adapter'));
  const merged = tuned.merge();
  await merged.save(at('merged'));
  for (const name of ['tokenizer.json', 'tokenizer_config.json']) copyFileSync(join(at('model'), name), join(at('merged'), name)); // prettier-ignore
  for (const part of [tuned, merged, model, base]) part.dispose();
  writeFileSync(at('rows.jsonl'), rows.map(row => `${JSON.stringify(row)}\n`).join(''));
  writeFileSync(at('texts.txt'), 'aaa\n\nxyz\n');
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

async function run(options: Parameters<typeof fakeTerminal>[0], ...flags: string[]) {
  const terminal = fakeTerminal(options);
  const args = ['classify', '--backend', 'cpu', ...flags];
  const code = await runCommandLine({ commands, version: '0', args, terminal });
  return { code, ...terminal.written };
}

interface Line {
  readonly label: string | null;
  readonly score: number | null;
  readonly scores?: Record<string, number> | null;
}
const linesOf = (out: string): Line[] => out.trim().split('\n').map(line => JSON.parse(line) as Line); // prettier-ignore

describe('dropbp classify', () => {
  it('gives every line of a file or of standard input a label', async () => {
    const { code, out, notes } = await run({}, at('adapter'), '--data', at('texts.txt'));
    expect(code, notes).toBe(0);
    expect(linesOf(out).map(({ label }) => label)).toEqual(['vowels', null, 'others']);
    expect(linesOf(out)[0]!.score).toBeGreaterThan(0.5);
    const input = Readable.from(['aaa\n\nxy', 'z\n']);
    const streamed = await run({ input }, at('adapter'), '--scores', '--batch', '1');
    const lines = linesOf(streamed.out);
    expect(lines.map(({ label }) => label)).toEqual(['vowels', null, 'others']);
    expect(lines[0]!.scores!.vowels).toBe(lines[0]!.score);
  });
  it('compares with the labels of rows', async () => {
    const { code, out, notes } = await run({}, at('adapter'), '--data', at('rows.jsonl'), '--metrics', '--json');
    expect(code, notes).toBe(0);
    const result = JSON.parse(out) as ClassScores;
    expect(result).toMatchObject({ rows: 6, accuracy: 1, macroF1: 1 });
    expect(result.confusion).toEqual([[3, 0], [0, 3]]); // prettier-ignore
    const shown = await run({}, at('merged'), '--data', at('rows.jsonl'), '--metrics');
    expect(shown.out).toMatch(/accuracy +100\.0 %\nmacro-F1 +100\.0 %\non +6 rows\n/);
    expect(shown.out).toMatch(/vowels +3 +0\nothers +0 +3\n$/);
  });
  it('is refused where text is to be written', async () => {
    for (const args of [
      ['evaluate', '--data', at('texts.txt')],
      ['generate', '--prompt', 'a'],
    ]) {
      const terminal = fakeTerminal({});
      const whole = [...args, '--model', at('merged'), '--backend', 'cpu'];
      const code = await runCommandLine({ commands, version: '0', args: whole, terminal });
      expect([code, terminal.written.notes.replaceAll(/\s+/g, ' ')]).toEqual([2, expect.stringMatching(/does not (give tokens|write text)/)]); // prettier-ignore
    }
  });
  it('says what does not fit', async () => {
    writeFileSync(at('odd.jsonl'), '{"text":"aaa","label":"none"}\n');
    const cases: [string[], string][] = [
      [[at('adapter'), '--json'], '--json needs --metrics'],
      [[at('adapter'), '--metrics', '--scores'], '--scores and --metrics do not go together'],
      [[at('adapter'), '--data', at('odd.jsonl'), '--metrics'], 'has a label that the classifier does not know; got "none"; expected vowels, others'],
      [[at('adapter'), '--data', at('none.txt')], 'none.txt cannot be read'],
      [[at('model')], 'holds a model that writes text'],
    ]; // prettier-ignore
    for (const [flags, message] of cases) {
      const { code, notes } = await run({ input: Readable.from([]) }, ...flags);
      expect([code, notes.replaceAll(/\s+/g, ' ')]).toEqual([2, expect.stringContaining(message)]);
    }
  });
});
