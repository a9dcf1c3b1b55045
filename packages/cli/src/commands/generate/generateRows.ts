import { problem } from '@dropbp/basics';
import { turnEnds, type PromptRow } from '@dropbp/data';
import { answeredRow, checkColumns } from '../../answers/answeredRow.ts';
import { lineOf, openAnswerFile, type AnswerFile } from '../../answers/answerFile.ts';
import { answerRows } from '../../answers/answerRows.ts';
import { encodeAsk, type AskEncoding } from '../../answers/encodeAsk.ts';
import { promptsOf, type PromptFlags } from '../../answers/promptSource.ts';
import type { ExitCode, Terminal } from '../../terminal/terminal.ts';
import type { Surroundings } from '../../model/withSubject.ts';
import type { Subject } from '../../model/openSubject.ts';
import { formatCount, formatDuration } from '../../terminal/formatNumber.ts';
import { listenForInterruption } from '../../terminal/interruption.ts';
import { paint, styled } from '../../terminal/paint.ts';
import type { WritingFlags } from '../../answers/writer.ts';

/** The flags that {@link generateRows} follows. */
export interface GenerateRowsFlags extends PromptFlags, Omit<WritingFlags, 'maxNewTokens'> {
  readonly maxNewTokens: number | undefined;
  readonly chat: boolean;
  readonly system: string | undefined;
  readonly adapter: string | undefined;
  readonly out: string | undefined;
  readonly answerColumn: string;
  readonly batch: number;
  readonly resume: boolean;
  readonly overwrite: boolean;
  readonly json: boolean;
}

/** Answers the rows of files in their order, into a file or, row by row, to standard output. */
export async function generateRows(
  opened: Subject,
  flags: GenerateRowsFlags,
  { status }: Pick<Surroundings, 'status'>,
  terminal: Terminal,
): Promise<ExitCode | undefined> {
  const { tokenizer, room, chatTemplate: template } = opened;
  const { out, batch, answerColumn } = flags;
  const encoding: AskEncoding = { tokenizer, room, template, isChat: flags.chat, system: flags.system };
  status.show('Reading the rows');
  const { count, isChat } = await checkRows(promptsOf(flags), encoding, answerColumn);
  if (count === 0) throw problem('cli', { what: `${flags.data.join(', ')} holds no row` });
  const writing: WritingFlags = { ...flags, maxNewTokens: flags.maxNewTokens ?? (isChat ? 512 : 100) };
  const subject = isChat
    ? { ...opened, endTokens: [...opened.endTokens, ...turnEnds(template, opened.tokenizer)] }
    : opened;
  const file = out === undefined ? undefined : await openAnswerFile(out, { ...flags, rows: promptsOf(flags), settings: settingsOf(opened, flags, writing) }); // prettier-ignore
  const interruption = listenForInterruption(terminal, undefined);
  const startedMs = performance.now();
  let done = file?.done ?? 0;
  let cut = 0;
  try {
    const rows = from(promptsOf(flags), done);
    for await (const answers of answerRows(subject, rows, { encoding, writing, batch, start: done, signal: interruption.signal })) {
      await give(answers.map(answer => answeredRow(answer, answerColumn)), file, terminal); // prettier-ignore
      done += answers.length;
      cut += answers.filter(({ ended }) => ended === 'length').length;
      status.show('Answering', `${formatCount(done)} of ${formatCount(count)} rows`);
    } // prettier-ignore
    status.clear();
    if (done < count) {
      await file?.close();
      const next = out === undefined ? '' : '. The same command with --resume goes on';
      terminal.notes(styled`${paint('yellow', `Stopped after ${done} of ${count} rows${next}`)}\n`);
      return interruption.exitCode();
    }
    await file?.finish();
  } catch (error) {
    await file?.close().catch(() => undefined);
    throw error;
  } finally {
    interruption.release();
  }
  const seconds = (performance.now() - startedMs) / 1000;
  if (flags.json) terminal.out(`${JSON.stringify({ rows: count, cutOff: cut, seconds, out }, undefined, 2)}\n`);
  const cutText = cut === 0 ? '' : `; ${formatCount(cut)} cut off: --max-new-tokens allows more`;
  terminal.notes(
    styled`${paint('dim', `${formatCount(count)} rows answered in ${formatDuration(seconds)}${cutText}`)}\n`,
  );
  return undefined;
}

/** Goes through all rows before the first is answered: a bad one shows now and not after hours. */
async function checkRows(
  rows: AsyncIterable<PromptRow>,
  encoding: AskEncoding,
  answerColumn: string,
): Promise<{ count: number; isChat: boolean }> {
  let count = 0;
  let { isChat } = encoding;
  for await (const row of rows) {
    checkColumns(row, [answerColumn]);
    encodeAsk(row, encoding);
    isChat ||= row.ask.kind === 'chat';
    count++;
  }
  return { count, isChat };
}

async function give(rows: readonly object[], file: AnswerFile | undefined, terminal: Terminal): Promise<void> {
  if (file !== undefined) return file.append(rows);
  for (const row of rows) terminal.out(lineOf(row));
}

async function* from<T>(rows: AsyncIterable<T>, start: number): AsyncGenerator<T, void, undefined> {
  let number = 0;
  for await (const row of rows) if (number++ >= start) yield row;
}

/** What the answers follow from. */
function settingsOf({ model }: Subject, flags: GenerateRowsFlags, writing: WritingFlags): Record<string, unknown> {
  const { adapter, system, chat, columns, template, answerColumn, batch } = flags;
  const { maxNewTokens, temperature, topK, topP, seed, stop } = writing;
  const drawn = { temperature, topK, topP, seed, ...(temperature > 0 && { batch }) };
  return { model: model.source, adapter, system, chat, columns, template, answerColumn, maxNewTokens, stop, ...drawn };
}
