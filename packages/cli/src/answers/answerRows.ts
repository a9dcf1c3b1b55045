import { setImmediate } from 'node:timers/promises';
import type { PromptRow } from '@dropbp/data';
import { generateBatch } from '@dropbp/models';
import { stopTokensOf, type WritingFlags } from './writer.ts';
import type { Subject } from '../model/openSubject.ts';
import { encodeAsk, type AskEncoding } from './encodeAsk.ts';

/** A row with what a model wrote. */
export interface RowAnswer {
  readonly row: PromptRow;
  readonly answer: string;
  /** Why it ended: at a stop, or with as many tokens as there may be. */
  readonly ended: 'stop' | 'length';
}

/** What {@link answerRows} takes. */
export interface AnswerRowsOptions {
  readonly encoding: AskEncoding;
  readonly writing: WritingFlags;
  /** Rows that are answered together. */
  readonly batch: number;
  /** The number of the first of these rows, so that draws of a seed do not depend on where an earlier command stopped. */
  readonly start: number;
  /** Ends the work; a batch under way is left out. */
  readonly signal: AbortSignal;
}

/** Answers rows in their order. @returns the rows of one batch after the other */
export async function* answerRows(
  subject: Subject,
  rows: AsyncIterable<PromptRow>,
  { encoding, writing, batch, start, signal }: AnswerRowsOptions,
): AsyncGenerator<RowAnswer[], void, undefined> {
  let waiting: PromptRow[] = [];
  let done = start;
  const answer = async (): Promise<RowAnswer[] | undefined> => {
    const seed = writing.seed === undefined ? undefined : (writing.seed + done) % 2 ** 32;
    const asked = waiting.map(row => ({ row, ids: encodeAsk(row, encoding) }));
    const answered = await answerTogether(subject, asked, { ...writing, seed }, signal);
    done += waiting.length;
    waiting = [];
    return answered;
  };
  for await (const row of rows) {
    waiting.push(row);
    if (waiting.length < batch) continue;
    const answered = await answer();
    if (answered === undefined) return;
    yield answered;
  }
  if (waiting.length === 0) return;
  const answered = await answer();
  if (answered !== undefined) yield answered;
}

interface Asked {
  readonly row: PromptRow;
  readonly ids: readonly number[];
}

/** @returns undefined where it was told to end */
async function answerTogether(
  subject: Subject,
  asked: readonly Asked[],
  writing: WritingFlags,
  signal: AbortSignal,
): Promise<RowAnswer[] | undefined> {
  // Rows that leave less room may not shorten the answers of others.
  const limits = asked.map(({ ids }) => Math.min(writing.maxNewTokens, subject.room - ids.length));
  const answers = new Array<RowAnswer>(asked.length);
  for (const limit of new Set(limits)) {
    const own = asked.flatMap((_, i) => (limits[i] === limit ? [i] : []));
    const texts = await writeTogether(subject, own.map(i => asked[i]!.ids), { ...writing, maxNewTokens: limit }, signal); // prettier-ignore
    if (texts === undefined) return undefined;
    own.forEach((i, j) => (answers[i] = { row: asked[i]!.row, ...texts[j]! }));
  }
  return answers;
}

async function writeTogether(
  opened: Subject,
  prompts: readonly (readonly number[])[],
  writing: WritingFlags,
  signal: AbortSignal,
): Promise<Pick<RowAnswer, 'answer' | 'ended'>[] | undefined> {
  const { subject, tokenizer } = opened;
  const { maxNewTokens, temperature, topK, topP, seed, stop } = writing;
  const rows = prompts.map(() => ({ ids: [] as number[], text: '', isDone: false }));
  const steps = generateBatch(subject, prompts, {
    ...{ maxNewTokens, temperature, stopTokens: stopTokensOf(opened, stop) },
    ...(topK !== undefined && { topK }),
    ...(topP !== undefined && { topP }),
    ...(seed !== undefined && { seed }),
  });
  for await (const tokens of steps) {
    // Some backends never wait: Ctrl-C is heard between their tokens alone.
    await setImmediate();
    if (signal.aborted) return undefined;
    rows.forEach((row, i) => {
      const token = tokens[i];
      if (row.isDone || token === undefined) return;
      row.ids.push(token);
      if (stop.length === 0) return;
      row.text = tokenizer.decode(row.ids, { skipSpecialTokens: true });
      row.isDone = stop.some(text => row.text.includes(text));
    });
    if (rows.every((row, i) => row.isDone || tokens[i] === undefined)) break;
  }
  return rows.map(({ ids, isDone }) => {
    const text = tokenizer.decode(ids, { skipSpecialTokens: true });
    const ends = stop.map(end => text.indexOf(end)).filter(at => at >= 0);
    const answer = isDone ? text.slice(0, Math.min(...ends)) : text;
    return { answer, ended: isDone || ids.length < maxNewTokens ? 'stop' : 'length' };
  });
}
