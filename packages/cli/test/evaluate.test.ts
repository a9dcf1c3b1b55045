import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commands } from '../src/commands.ts';
import { scoreQuestions, type QuestionScores } from '../src/commands/evaluate/askQuestions.ts';
import { questionForms, readQuestion, type QuestionForm } from '../src/commands/evaluate/questionForms.ts';
import { runCommandLine } from '../src/flags/runCommandLine.ts';
import type { Interrupt } from '../src/terminal/terminal.ts';
import { fakeTerminal } from './fakeTerminal.ts';
import { writeTinyModel } from './tinyModelFolder.ts';

const questions = fileURLToPath(new URL('fixtures/questions', import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dropbp-evaluate-'));
  await writeTinyModel(join(folder, 'model'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function evaluate(options: Parameters<typeof fakeTerminal>[0], ...flags: string[]) {
  const terminal = fakeTerminal(options);
  const args = ['evaluate', '--model', join(folder, 'model'), '--backend', 'ort', ...flags];
  const code = await runCommandLine({ commands, version: '0', args, terminal });
  return { code, ...terminal.written };
}
const scoresOf = async (...flags: string[]): Promise<QuestionScores & { form: string }> => {
  const { code, out, notes } = await evaluate({}, ...flags, '--json');
  expect(code, notes).toBe(0);
  return JSON.parse(out) as QuestionScores & { form: string };
};

describe('dropbp evaluate', () => {
  it.each(['arc', 'hellaswag', 'piqa', 'mmlu'])('knows %s by its columns, in Parquet as in JSON Lines', async form => {
    const fromParquet = await scoresOf('--data', join(questions, `${form}.parquet`));
    expect(fromParquet.form).toBe(form);
    expect(fromParquet.accNorm === undefined).toBe(form === 'mmlu');
    expect(await scoresOf('--data', join(questions, `${form}.jsonl`))).toEqual(fromParquet);
  });
  it('shows accuracies, by subject where there are several', async () => {
    const { out } = await evaluate({}, '--data', join(questions, 'mmlu.parquet'));
    expect(out).toMatch(/^acc +\d+\.0 % ± \d+\.\d \(standard error\)\non +5 questions\n/);
    expect(out).toMatch(/elementary_mathematics +3 +\d+\.\d %\nworld_religions +2 +\d+\.\d %\n$/);
    expect(await scoresOf('--data', join(questions, 'arc.jsonl'), '--limit', '2')).toMatchObject({ questions: 2 });
  });
  it('stops at Ctrl-C, with the figures of what is done', async () => {
    const onInterrupt = (listener: (signal: Interrupt) => void) => {
      setTimeout(() => listener('SIGINT'), 0);
      return () => undefined;
    };
    const { code, out } = await evaluate({ onInterrupt }, '--data', join(questions, 'arc.jsonl'), '--json');
    expect(code).toBe(130);
    expect((JSON.parse(out) as QuestionScores).questions).toBeLessThan(6);
  });
  it('measures perplexity of texts, whatever the batch', async () => {
    writeFileSync(join(folder, 'texts.jsonl'), '{"text":"One text."}\n{"text":"And another one, longer."}\n');
    const { code, out } = await evaluate({}, '--data', join(folder, 'texts.jsonl'), '--time', '16', '--batch', '1');
    expect(code).toBe(0);
    // A byte is a token, one ends each text, and the first of a sequence is not predicted: 9 + 15 + 8.
    expect(out).toMatch(/^perplexity +\d+\.\d+\nloss +\d\.\d{4} nats a token\non +32 tokens of 2 rows\n$/);
    const whole = await evaluate({}, '--data', join(folder, 'texts.jsonl'), '--time', '16');
    expect(whole.out).toBe(out);
  });
  it('refuses what it cannot measure on', async () => {
    const write = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const cases: [string[], string][] = [
      [['--data', write('unlabelled.jsonl', '{"goal":"a","sol1":"b","sol2":"c","label":-1}\n')],
        'unlabelled.jsonl, line 1: label names none of the 2 choices; expected a question of piqa: goal, sol1, sol2, label.'],
      [['--data', join(questions, 'piqa.jsonl'), '--form', 'mmlu'], 'piqa.jsonl, line 1: choices is no list of texts; expected a question of mmlu'],
      [['--data', write('empty.jsonl', '')], 'holds no row'],
      [['--data', write('empty.jsonl', ''), '--form', 'arc'], 'holds no row'],
      [['--data', join(questions, 'piqa.jsonl'), '--form', 'perplexity', '--columns', 'text=goal', '--batch', '1e9'], '--batch is too large for the memory of this machine'],
      [['--data', join(questions, 'piqa.jsonl'), '--form', 'perplexity', '--time', '65'], '--time is longer than the model has positions for; got 65; expected at most 64'],
    ]; // prettier-ignore
    for (const [flags, message] of cases) {
      const { code, notes } = await evaluate({}, ...flags);
      expect([code, notes.includes(message) ? message : notes]).toEqual([2, message]);
    }
  });
});

describe('questions', () => {
  const form = (name: string): QuestionForm => questionForms.find(known => known.name === name)!;
  const read = (name: string, value: Record<string, unknown>) => readQuestion(form(name), { place: 'row 1', value });

  it('are asked as lm-evaluation-harness does', () => {
    expect(
      read('hellaswag', {
        ...{ activity_label: 'Cooking', ctx_a: '[header] How to cook [title] Boil  water.', ctx_b: 'then YOU' },
        ...{ endings: [' wait [step] here. ', 'go'], label: '1' },
      }),
    ).toEqual({ context: 'Cooking: How to cook. Boil water. Then you', choices: ['wait here.', 'go'], gold: 1 });
    expect(
      read('mmlu', { question: ' Why? ', choices: ['w', 'x', 'y', 'z'], answer: 'C', subject: 'formal_logic' }),
    ).toEqual({
      context:
        'The following are multiple choice questions (with answers) about formal logic.\n\nWhy?\nA. w\nB. x\nC. y\nD. z\nAnswer:',
      ...{ choices: ['A', 'B', 'C', 'D'], gold: 2, subject: 'formal_logic' },
    });
    const own = { text: ['x', 'y'], label: ['1', '2'] };
    const expected = { context: 'Question: Why?\nAnswer:', choices: ['x', 'y'], gold: 1 };
    expect(read('arc', { question: 'Why?', choices: own, answerKey: '2' })).toEqual(expected);
    // As AI2's own files have it.
    const nested = { stem: 'Why?', choices: [{ text: 'x', label: 'A' }, { text: 'y', label: 'B' }] }; // prettier-ignore
    expect(read('arc', { question: nested, answerKey: 'B' })).toEqual(expected);
  });
  it('are counted by sum and by character, with the error of a sample', () => {
    const question = { context: '', choices: ['no', 'certainly'], gold: 1 };
    const answered = [
      { question, scores: [-1, -2] },
      { question, scores: [-3, -2] },
      { question: { ...question, gold: 0 }, scores: [-1, -9] },
    ];
    const { acc, accNorm } = scoreQuestions(answered, { isNormed: true });
    expect(acc.value).toBeCloseTo(2 / 3);
    expect(acc.standardError).toBeCloseTo(Math.sqrt((2 / 3) * (1 / 3) * (3 / 2)) / Math.sqrt(3));
    expect(accNorm).toEqual({ value: 1, standardError: 0 });
  });
});
