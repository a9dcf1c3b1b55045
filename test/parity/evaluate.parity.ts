import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import '@dropbp/tfjs-backend-ort';
import { askQuestion } from '../../packages/cli/src/commands/evaluate/askQuestions.ts';
import { questionForms, readQuestion } from '../../packages/cli/src/commands/evaluate/questionForms.ts';
import { openSubject } from '../../packages/cli/src/model/openSubject.ts';
import { commands } from '../../packages/cli/src/commands.ts';
import { runCommandLine } from '../../packages/cli/src/flags/runCommandLine.ts';
import { statusLine } from '../../packages/cli/src/terminal/statusLine.ts';
import { fakeTerminal } from '../../packages/cli/test/fakeTerminal.ts';
import { readRows } from '@dropbp/data';
import { modelsFolder } from './reference.ts';

/** What evaluate_cases.py wrote for one model. */
interface EvaluateCases {
  readonly adapter: string | null;
  readonly questions: Readonly<Record<string, QuestionCases>>;
  readonly texts: TextCases;
  /** Where the model has a chat template. */
  readonly chats?: TextCases;
}

interface QuestionCases {
  readonly scores: readonly (readonly number[])[];
  readonly acc: AccuracyCase;
  readonly accNorm: AccuracyCase;
}

interface AccuracyCase {
  readonly value: number;
  readonly standardError: number;
}

interface TextCases {
  readonly tokens: number;
  readonly loss: number;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const cases = join(root, 'test/.cache/evaluate');
const questions = join(root, 'packages/cli/test/fixtures/questions');
const models = ['smollm2-135m', 'tiny-llama2', 'tiny-gpt2'];

/** Of a sum of log-probabilities, and of a mean. */
const tolerance = { score: 2e-3, loss: 1e-4 };

async function evaluate<T>(...flags: string[]): Promise<T> {
  const terminal = fakeTerminal();
  const args = ['evaluate', '--json', '--backend', 'ort', ...flags];
  const code = await runCommandLine({ commands, version: '0', args, terminal });
  expect(code, terminal.written.notes).toBe(0);
  return JSON.parse(terminal.written.out) as T;
}

describe.each(models)('dropbp evaluate on %s, against transformers', model => {
  const path = join(cases, `${model}.json`);
  if (!existsSync(path)) throw new Error(`${path} is missing: run test/parity/make.sh first`);
  const expected = JSON.parse(readFileSync(path, 'utf8')) as EvaluateCases;
  const adapter = expected.adapter === null ? undefined : join(root, expected.adapter);
  const flags = ['--model', join(modelsFolder, model), ...(adapter === undefined ? [] : ['--adapter', adapter])];
  beforeAll(() => tf.setBackend('ort'));

  it.each(questionForms)('finds each choice of $name as probable', async form => {
    const places = {
      base: { source: join(modelsFolder, model) },
      adapter: adapter === undefined ? undefined : { name: adapter, folder: adapter },
    };
    const choice = { model, weights: 'f32' } as const;
    const subject = await openSubject(places, choice, statusLine(fakeTerminal()));
    const scores: (readonly number[])[] = [];
    for await (const row of readRows(join(questions, `${form.name}.parquet`))) {
      scores.push((await askQuestion(subject, readQuestion(form, row))).scores);
    }
    subject.dispose();
    const theirs = expected.questions[form.name]!.scores;
    expect(scores.map(({ length }) => length)).toEqual(theirs.map(({ length }) => length));
    scores.flat().forEach((score, i) => {
      expect(Math.abs(score - theirs.flat()[i]!)).toBeLessThan(tolerance.score * Math.max(1, Math.abs(score) / 50));
    });
  });

  it.each(questionForms)('has the accuracies of $name', async ({ name, isNormed }) => {
    const result = await evaluate<QuestionCases & { form: string }>(...flags, '--data', join(questions, `${name}.jsonl`)); // prettier-ignore
    expect(result.form).toBe(name);
    const { acc, accNorm } = expected.questions[name]!;
    const pairs: [AccuracyCase, AccuracyCase][] = [[result.acc, acc], ...(isNormed ? [[result.accNorm, accNorm] as [AccuracyCase, AccuracyCase]] : [])]; // prettier-ignore
    for (const [ours, theirs] of pairs) {
      expect(ours.value).toBeCloseTo(theirs.value, 12);
      expect(ours.standardError).toBeCloseTo(theirs.standardError, 12);
    }
  });

  it('has the loss of texts, in sequences of 24 tokens', async () => {
    const result = await evaluate<TextCases>(...flags, '--data', join(cases, 'texts.jsonl'), '--time', '24');
    expect(result.tokens).toBe(expected.texts.tokens);
    expect(Math.abs(result.loss - expected.texts.loss)).toBeLessThan(tolerance.loss);
  });

  const { chats } = expected;
  if (chats !== undefined) {
    it('has the loss of the answers in chats', async () => {
      const result = await evaluate<TextCases & { perplexity: number }>(...flags, '--data', join(cases, 'chats.jsonl'));
      expect(result.tokens).toBe(chats.tokens);
      expect(Math.abs(result.loss - chats.loss)).toBeLessThan(tolerance.loss);
      expect(result.perplexity).toBeCloseTo(Math.exp(result.loss), 6);
    });
  }
});
