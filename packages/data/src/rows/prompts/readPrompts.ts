import { checkOptions, Problem, problem } from '@dropbp/basics';
import { openSource, type FileType } from '../../sources/openSource.ts';
import { badRow, type RowValue } from '../../sources/rowSource.ts';
import { problemText } from '../formats/problemText.ts';
import { promptOf, recognize, type RecognizedFormat, type RecognizeFormatOptions } from '../formats/recognizeFormat.ts';
import { RowFault } from '../rowFault.ts';
import type { RowPrompt } from './rowPrompt.ts';

/** A row that asks something of a model. */
export interface PromptRow {
  /** For messages: `'questions.jsonl, line 17'`. */
  readonly place: string;
  /** The row as it was read: its columns by name. */
  readonly value: RowValue;
  /** What it asks, and the answer that it may hold. */
  readonly ask: RowPrompt;
}

/** Options of {@link readPrompts}. */
export interface ReadPromptsOptions extends RecognizeFormatOptions {
  /** What kind of files they are. @defaultValue by the endings of their names */
  readonly fileType?: FileType;
}

/**
 * Rows that a model is to answer, one after the other: conversations, prompts, or columns from which a template makes prompts.
 * A completion, or an answer with which a conversation ends, is the reference. The first row says what all are.
 *
 * @param files - JSON Lines, JSON, CSV or Parquet, plain or compressed with gzip
 * @throws Problem if a file cannot be read, no format fits, or a row asks nothing, with its place
 *
 * @example
 * ```ts
 * for await (const { ask } of readPrompts('rows.jsonl', { template: 'Title: {title}\nCategory:' })) console.log(ask.reference);
 * ```
 */
export async function* readPrompts(
  files: string | Blob | readonly (string | Blob)[],
  options: ReadPromptsOptions = {},
): AsyncGenerator<PromptRow, void, undefined> {
  checkOptions('data', 'readPrompts()', options, ['fileType', 'format', 'columns', 'template']);
  const { fileType, ...recognizing } = options;
  let format: RecognizedFormat | undefined;
  for (const file of typeof files === 'string' || files instanceof Blob ? [files] : files) {
    const source = await openSource(file, fileType);
    for await (const rows of source.scan()) {
      for (const row of rows) {
        if ('error' in row) throw row.error;
        if (row.piece !== undefined) throw runningText(source.name);
        format ??= formatOf(row.place, row.value, recognizing);
        yield { place: row.place, value: row.value, ask: askOf(format, row.place, row.value) };
      }
    }
  }
}

function formatOf(place: string, value: RowValue, options: RecognizeFormatOptions): RecognizedFormat {
  try {
    return recognize(value, options, 'prompts');
  } catch (cause) {
    if (!(cause instanceof Problem)) throw cause;
    throw problem('data', { what: `${place}: ${problemText(cause)}`, cause });
  }
}

function askOf(format: RecognizedFormat, place: string, value: RowValue): RowPrompt {
  try {
    return promptOf(format, value);
  } catch (error) {
    if (error instanceof RowFault) throw badRow(place, error.details).error;
    throw error;
  }
}

function runningText(name: string): Error {
  return problem('data', {
    what: `${name} holds one running text, not prompts`,
    fix: 'give JSON Lines with a column prompt, or of messages',
  });
}
