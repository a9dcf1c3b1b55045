import { problem } from '@dropbp/basics';
import { readPromptTemplate, readPrompts, readRows, type PromptRow } from '@dropbp/data';
import { templateFlag } from '../flags/tables/templateFlag.ts';
import type { DataFlagValues } from '../flags/tables/dataFlags.ts';
import { shellWord } from '../terminal/shellWord.ts';
import { paint, styled } from '../terminal/paint.ts';
import type { Terminal } from '../terminal/terminal.ts';
import type { Learned } from './learnedFrom.ts';

/** Flags that say which rows are asked, and how they are read. */
export type PromptFlags = Pick<DataFlagValues, 'data' | 'fileType' | 'format' | 'columns' | 'template'>;

/** Rows that ask something, read anew each time. @throws Problem while they are read */
export function promptsOf({ data, fileType, format, columns, template }: PromptFlags): AsyncIterable<PromptRow> {
  return readPrompts(data, {
    ...(fileType !== 'auto' && { fileType }),
    ...(format !== 'auto' && { format }),
    ...(columns && { columns }),
    ...(template !== undefined && { template }),
  });
}

/**
 * The flags with the template by which an adapter learned, where they say nothing else of the rows and the first row has the
 * template's columns. Says so.
 */
export async function withLearnedTemplate<F extends PromptFlags>(
  flags: F,
  learned: Learned | undefined,
  terminal: Terminal,
): Promise<F> {
  const { template, columns = {} } = learned ?? {};
  const isSaid = flags.template !== undefined || flags.columns !== undefined || flags.format !== 'auto';
  if (template === undefined || isSaid) return flags;
  const row = await firstRow(flags);
  if (row === undefined || !readPromptTemplate(template).columns.every(column => Object.hasOwn(row, column)))
    return flags;
  const { completion } = columns;
  const isThere = completion !== undefined && Object.hasOwn(row, completion);
  terminal.notes(styled`${paint('dim', `Prompts as the adapter learned them: ${templateAsFlag(template)}`)}\n`);
  return { ...flags, template, ...(isThere && { columns: { completion } }) };
}

/** How a template is given on a command line. */
export function templateAsFlag(template: string): string {
  return `--template ${shellWord(String(templateFlag().write?.(template)))}`;
}

async function firstRow({ data, fileType }: PromptFlags): Promise<object | undefined> {
  for (const file of data) {
    for await (const { value } of readRows(file, fileType === 'auto' ? {} : { fileType })) return value;
  }
  return undefined;
}

/** A prompt that a template makes of one text. @throws Problem for a template that reads several columns */
export function filledPrompt(template: string, text: string): string {
  const read = readPromptTemplate(template);
  const { columns } = read;
  const [column, ...more] = columns;
  if (more.length === 0) return read.fill({ [column!]: text });
  throw problem('cli', {
    what: '--prompt fills a template that reads one column',
    got: columns,
    fix: 'give rows with these columns by --data',
  });
}
