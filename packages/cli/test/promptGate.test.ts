import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decisionText } from '../src/drops/dropText.ts';
import type { RunRecord } from '../src/record/runRecord.ts';
import { runDropbp } from './runDropbp.ts';
import { writeTinyModel } from './tinyModelFolder.ts';

let folder: string;
const at = (name: string): string => join(folder, name);
const flags = ['--steps', '10', '--time', '36', '--batch', '1', '--rate', '0', '--learning-rate', '0.02', '--save-every', '3', '--evaluations', '2', '--sample-tokens', '0', '--backend', 'cpu']; // prettier-ignore

const train = (out: string, data: string, prompts: string, interruptAt?: string) =>
  runDropbp(
    ['train', '--model', at('model'), '--data', at(data), '--out', at(out), '--drop-prompts', prompts, ...flags],
    interruptAt,
  );
/** What the runs of this file noted, by their folders. */
const notes = new Map<string, string>();
async function expectTrained(out: string, data: string, prompts: string): Promise<void> {
  const run = await train(out, data, prompts);
  expect(run.code, run.notes).toBe(0);
  notes.set(out, run.notes);
}
const record = (out: string) => JSON.parse(readFileSync(at(`${out}/run.json`), 'utf8')) as RunRecord;
const weights = (out: string) => readFileSync(at(`${out}/adapter/adapter_model.safetensors`));
const decisionsOf = (out: string) =>
  record(out).steps.flatMap(({ step, promptDecision }) => (promptDecision ? [{ step, ...promptDecision }] : []));
/** All that a run's record says about its training, and not how long that took. */
function courseOf(out: string): object {
  const { heldOut, branches, drops, ended } = record(out);
  const unlike = { seconds: 0, calibrationSeconds: 0, memoryBytes: 0 };
  const learned = record(out).steps.map(step => ({ ...step, ...unlike }));
  return { steps: learned, heldOut, branches, drops, ended };
}

/** Prompts of so many letters, with one of two answers by the last one. */
function writeRows(name: string, promptLetters: number, answers: readonly [string, string]): void {
  const text = 'which of them is it, the fish or the bird: ';
  const rows = Array.from({ length: 20 }, (_, i) => ({
    prompt: text.slice(1 - promptLetters) + 'ab'[i % 2]!,
    completion: answers[i % 2]!,
  }));
  writeFileSync(at(name), rows.map(row => `${JSON.stringify(row)}\n`).join(''));
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dropbp-gate-'));
  await writeTinyModel(at('model'));
  writeRows('long.jsonl', 31, [' sea', ' sky']);
  writeRows('short.jsonl', 3, [' a word with many letters', ' the other one of the two']);
  for (const prompts of ['on', 'off', 'auto']) await expectTrained(`long-${prompts}`, 'long.jsonl', prompts);
  for (const prompts of ['off', 'auto']) await expectTrained(`short-${prompts}`, 'short.jsonl', prompts);
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

describe('dropbp train --drop-prompts', () => {
  it('on drops the prompts in every step, without a decision', () => {
    const { steps, drops } = record('long-on');
    expect(steps.map(({ dropped }) => dropped > 0.5)).toEqual(Array(10).fill(true));
    expect([drops?.prompts, decisionsOf('long-on')]).toEqual(['on', []]);
  });
  it('auto drops the prompts from a tenth of the run on where a measurement says that it pays', () => {
    const found = decisionsOf('long-auto');
    expect(found.map(({ step, isPreliminary }) => [step, isPreliminary])).toEqual([[1, true], [2, undefined]]); // prettier-ignore
    for (const { similarity, saved, dropsPrompts } of found) expect(similarity ** 2 > 1 - saved).toBe(dropsPrompts);
    const { steps, drops } = record('long-auto');
    expect(drops?.prompts).toBe('auto');
    const decides = found[1]!.dropsPrompts;
    expect(steps.map(({ dropped }) => dropped > 0)).toEqual(steps.map(({ step }) => step >= 2 && decides));
    // Each run computes its first gradient from the same weights, and the first step of `auto` is whole.
    const firstNorm = (out: string): unknown => record(out).steps[0]!.gradientNorm;
    expect(firstNorm('long-auto')).toBe(firstNorm('long-off'));
    expect(firstNorm('long-auto')).not.toBe(firstNorm('long-on'));
  });
  it('auto keeps the prompts where that does not pay, and then trains as off does', () => {
    const found = decisionsOf('short-auto');
    expect(found.map(({ step }) => step)).toEqual([1, 2]);
    for (const { similarity, saved, dropsPrompts } of found) {
      expect([dropsPrompts, similarity ** 2 > 1 - saved, saved > 0]).toEqual([false, false, true]);
    }
    expect(record('short-auto').steps.every(({ dropped }) => dropped === 0)).toBe(true);
    expect(weights('short-auto').equals(weights('short-off'))).toBe(true);
  });
  it('auto says what it decided in the notes and in the report', () => {
    for (const out of ['long-auto', 'short-auto']) {
      const page = readFileSync(at(`${out}/report.html`), 'utf8');
      for (const decision of decisionsOf(out)) {
        const text = `tep ${decision.step}: ${decisionText(decision)}`;
        expect(notes.get(out)).toContain(`s${text}\n`);
        expect(page).toContain(`S${text}.`);
      }
    }
  });
  it('auto keeps its decision where the run is stopped and resumed, and ends as the unbroken run', async () => {
    const out = 'stopped';
    expect(await train(out, 'long.jsonl', 'auto', ' 4/10 ')).toMatchObject({ code: 130 });
    expect(existsSync(at(`${out}/run.json`))).toBe(false);
    const resumed = await runDropbp(['train', '--resume', '--out', at(out)]);
    expect(resumed.code, resumed.notes).toBe(0);
    expect(resumed.notes).toContain('Going on after step 4\n');
    expect(resumed.notes).not.toContain('ρ²');
    expect(courseOf(out)).toEqual(courseOf('long-auto'));
    expect(weights(out).equals(weights('long-auto'))).toBe(true);
  });
});

describe('dropbp report', () => {
  it('says what dropped prompts were worth beside whole steps', async () => {
    const { code, out } = await runDropbp(['report', at('long-off'), at('long-on'), '--out', at('report.html')]);
    expect(code).toBe(0);
    const numbers = (title: string): number[] => {
      const cells = out.split('\n').find(line => line.startsWith(`${title}  `))!.trim().split(/ {3,}/); // prettier-ignore
      expect(cells[1]).toBe('–');
      return cells.slice(2).map(cell => Number(cell.replace('≥ ', '')));
    };
    const [worth, flops, both] = ['Worth of a step, r', 'Speed-up in FLOPs, s', 'r · s in FLOPs'].map(title => numbers(title)[0]!) as [number, number, number]; // prettier-ignore
    const { saved } = decisionsOf('long-auto')[0]!;
    expect(flops).toBeCloseTo(1 / (1 - saved), 1);
    expect(worth).toBeGreaterThan(0.3);
    expect(both).toBeCloseTo(worth * flops, 1);
    expect(numbers('r · s in time')[0]).toBeGreaterThan(0);
    expect(readFileSync(at('report.html'), 'utf8')).toContain('<th scope="row">r · s in FLOPs</th>');
  });
});
