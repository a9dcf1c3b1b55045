import { problem, writeAtomically } from '@dropbp/basics';
import { turnEnds, type PromptRow } from '@dropbp/data';
import { answeredRow, checkColumns, ownAnswer } from '../../answers/answeredRow.ts';
import { lineOf } from '../../answers/answerFile.ts';
import { answerRows, type RowAnswer } from '../../answers/answerRows.ts';
import { encodeAsk, type AskEncoding } from '../../answers/encodeAsk.ts';
import type { Subject } from '../../model/openSubject.ts';
import type { NamedMetric } from './loadMetrics.ts';

/** What metrics say of a model's answers. */
export interface AnswerScores {
  readonly rows: number;
  /** Answers that were cut off at the most tokens. */
  readonly cutOff: number;
  /** The mean of each metric over the rows. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** What {@link scoreAnswers} takes. */
export interface ScoreAnswersOptions {
  readonly metrics: readonly NamedMetric[];
  readonly batch: number;
  readonly limit: number;
  readonly maxNewTokens: number | undefined;
  /** Where rows go with their answers and scores. */
  readonly out: string | undefined;
  readonly signal: AbortSignal;
  /** Hears of the rows that are done. @returns whether to go on */
  readonly onRows: (rows: number) => Promise<boolean>;
}

/**
 * Writes the most probable answer to each row, in batches, and scores it.
 *
 * @returns undefined where it was told to end before the first batch was done; nothing is written then
 * @throws Problem for a row without what is needed
 */
export async function scoreAnswers(
  opened: Subject,
  prompts: AsyncIterable<PromptRow>,
  { metrics, batch, limit, maxNewTokens, out, signal, onRows }: ScoreAnswersOptions,
): Promise<AnswerScores | undefined> {
  const { tokenizer, room, chatTemplate: template } = opened;
  const encoding: AskEncoding = { tokenizer, room, template, isChat: false, system: undefined };
  const rows: PromptRow[] = [];
  let longest = 0;
  for await (const row of prompts) {
    checkRow(row, metrics, out);
    encodeAsk(row, encoding);
    longest = Math.max(longest, tokenizer.encode(row.ask.reference ?? '').length);
    if (rows.push(row) === limit) break;
  }
  if (rows.length === 0) throw problem('cli', { what: 'the data holds no row to answer' });
  const isChat = rows.some(({ ask }) => ask.kind === 'chat');
  const subject = isChat
    ? { ...opened, endTokens: [...opened.endTokens, ...turnEnds(template, opened.tokenizer)] }
    : opened;
  const writing = {
    ...{ temperature: 0, topK: undefined, topP: undefined, seed: undefined, stop: [] },
    maxNewTokens: maxNewTokens ?? (longest === 0 ? 256 : Math.max(16, Math.ceil(1.5 * longest))),
  };
  const scored: { answer: RowAnswer; scores: Record<string, number> }[] = [];
  for await (const answers of answerRows(subject, listed(rows), { encoding, writing, batch, start: 0, signal })) {
    for (const answer of answers) scored.push({ answer, scores: await scoresOf(answer, metrics) });
    if (!(await onRows(scored.length))) break;
  }
  if (scored.length === 0) return undefined;
  if (out !== undefined) {
    await writeAtomically('cli', out, scored.map(({ answer, scores }) => lineOf(answeredRow(answer, 'answer', { scores }))).join('')); // prettier-ignore
  }
  const mean = (name: string): number => scored.reduce((sum, { scores }) => sum + scores[name]!, 0) / scored.length;
  return {
    rows: scored.length,
    cutOff: scored.filter(({ answer }) => answer.ended === 'length').length,
    metrics: Object.fromEntries(metrics.map(({ name }) => [name, mean(name)])),
  };
}

function checkRow(row: PromptRow, metrics: readonly NamedMetric[], out: string | undefined): void {
  if (out !== undefined) checkColumns(row, ['answer', 'scores']);
  const needing = metrics.find(({ needsReference }) => needsReference);
  if (needing === undefined || row.ask.reference !== undefined) return;
  throw problem('cli', {
    what: `${row.place}: the row holds no answer for --metric ${needing.name} to compare with`,
    expected: 'a completion, or a conversation that ends with an answer',
  });
}

async function scoresOf({ row, answer }: RowAnswer, metrics: readonly NamedMetric[]): Promise<Record<string, number>> {
  const { reference } = row.ask;
  const known = { ...row.value, ...(reference !== undefined && { reference }) };
  const scores: Record<string, number> = {};
  for (const { name, score } of metrics) {
    let value: unknown;
    try {
      value = await score(ownAnswer(row, answer), known);
    } catch (cause) {
      throw problem('cli', { what: `${row.place}: --metric ${name} failed (${cause instanceof Error ? cause.message : String(cause)})`, cause }); // prettier-ignore
    }
    const number = typeof value === 'boolean' ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isFinite(number)) {
      throw problem('cli', { what: `${row.place}: --metric ${name} gave no score`, got: value, expected: 'a number, or true or false' }); // prettier-ignore
    }
    scores[name] = number;
  }
  return scores;
}

async function* listed<T>(rows: readonly T[]): AsyncGenerator<T, void, undefined> {
  for (const row of rows) yield await Promise.resolve(row);
}
