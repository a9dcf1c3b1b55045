import { checkOptions, problem } from '@dropbp/basics';
import type { RowValue } from '../../sources/rowSource.ts';
import {
  cellText,
  checkTemplateColumns,
  gapBetween,
  isGlued,
  readPromptTemplate,
  type PromptTemplate,
} from '../prompts/promptTemplate.ts';
import { RowFault } from '../rowFault.ts';
import type { RowPrompt } from '../prompts/rowPrompt.ts';
import { isAnswer, rowFormats, type RowFormat, type RowFormatName } from './rowFormat.ts';
import type { Sample } from './sample.ts';

/** Options of {@link recognizeFormat}. */
export interface RecognizeFormatOptions {
  /** Takes this format, whatever the columns are called. @defaultValue the first that fits */
  readonly format?: RowFormatName;
  /** The columns that hold what a format reads, by its names: `{ prompt: 'question', completion: 'answer' }`. */
  readonly columns?: Readonly<Record<string, string>>;
  /**
   * Makes prompts from columns: `'Title: {title}\\nCategory:'`. Braces that are text are written twice. The completion is the
   * column that `columns` gives, `completion`, or the only column that the template does not read. A space parts the two where
   * neither has white space there.
   */
  readonly template?: string;
}

/** The format of a file's rows. */
export interface RecognizedFormat {
  /** The format. */
  readonly name: RowFormatName;
  /** Which column is read for each of the format's names. */
  readonly columns: Readonly<Record<string, string>>;
  /** What was recognised, and why: a sentence for people. */
  readonly explanation: string;
  /** What makes prompts from columns, where that was asked for. */
  readonly template?: PromptTemplate;
}

/**
 * Says which format a row has, by the names of its columns. In this order: conversations (`messages`), a prompt and its
 * `completion`, Alpaca (`instruction`, `output`), and `text`.
 *
 * @throws Problem that names the columns that there are, where no format fits
 *
 * @example
 * ```ts
 * recognizeFormat({ question: '1 + 1?', answer: '2' }, { columns: { prompt: 'question', completion: 'answer' } });
 * ```
 */
export function recognizeFormat(row: RowValue, options: RecognizeFormatOptions = {}): RecognizedFormat {
  return recognize(row, options, 'answers');
}

/** The same; of prompts alone the answers may be missing. */
export function recognize(
  row: RowValue,
  options: RecognizeFormatOptions,
  needed: 'answers' | 'prompts',
): RecognizedFormat {
  checkOptions('data', 'recognizeFormat()', options, ['format', 'columns', 'template']);
  const { format: asked, columns: renamed = {} } = options;
  if (options.template !== undefined) return templateFormat(row, options, needed);
  checkRenamed(renamed, row);
  const candidates = asked === undefined ? rowFormats : [formatNamed(asked)];
  for (const format of candidates) {
    const columns = columnsFor(format, row, renamed);
    const isRead = Object.keys(renamed).every(name => name in columns);
    const required = needed === 'answers' ? format.required : format.required.filter(name => !isAnswer(name));
    const isThere = required.every(name => row[columns[name]!] !== undefined);
    if (!isRead || !isThere || format.fits?.(viewOf(columns, row)) === false) continue;
    return { name: format.name, columns, explanation: explanationOf(format, columns, row, asked !== undefined) };
  }
  throw problem('data', {
    what:
      asked === undefined
        ? 'no format that is known fits these columns'
        : `these columns are not those of the format '${asked}'`,
    got: Object.keys(row),
    expected: candidates.map(({ name, required }) => `${required.join(' and ')} (${name})`).join(', or '),
    fix: "say which columns to read, such as columns: { prompt: 'question', completion: 'answer' }",
  });
}

/** What a row of a recognised format says. @throws RowFault where the row does not have it */
export function sampleOf({ name, columns, template }: RecognizedFormat, row: RowValue): Sample {
  if (template === undefined) return formatNamed(name).toSample(viewOf(columns, row));
  const prompt = template.fill(row);
  const completion = cellText(row, columns.completion!);
  if (completion === '') throw new RowFault({ what: `'${columns.completion!}' is empty`, expected: 'a text' });
  return { kind: 'completion', prompt, completion: gapBetween(prompt, completion) + completion };
}

/** The prompt of a row of a recognised format, and the answer that it may have. @throws RowFault */
export function promptOf({ name, columns, template }: RecognizedFormat, row: RowValue): RowPrompt {
  if (template === undefined) return formatNamed(name).toPrompt(viewOf(columns, row));
  const { completion } = columns;
  const isThere = completion !== undefined && row[completion] !== undefined && row[completion] !== null;
  const prompt = template.fill(row);
  return {
    kind: 'text',
    prompt,
    hasGap: isGlued(prompt, 'a'),
    ...(isThere && { reference: cellText(row, completion) }),
  };
}

/** The names of all columns that some format reads, under all names that it knows. */
export function readableColumns({ columns = {}, template }: RecognizeFormatOptions): string[] | undefined {
  // Which column is the completion may follow from the others.
  if (template !== undefined) return undefined;
  const own = rowFormats.flatMap(({ required, optional, aliases }) => [
    ...required,
    ...optional,
    ...Object.values(aliases).flat(),
  ]);
  return [...own, ...Object.values(columns)];
}

function templateFormat(
  row: RowValue,
  { format, columns = {}, template: text }: RecognizeFormatOptions,
  needed: 'answers' | 'prompts',
): RecognizedFormat {
  if (format !== undefined && format !== 'completion') {
    throw problem('data', {
      what: 'template makes prompts with a completion, which is not the format that is asked for',
      got: format,
      fix: "leave format out, or make it 'completion'",
    });
  }
  checkOptions('data', 'columns', columns, ['completion']);
  const template = readPromptTemplate(text);
  checkTemplateColumns(template, row);
  const there = Object.keys(row);
  const unread = there.filter(column => !template.columns.includes(column));
  const completion = columns.completion ?? unread.find(column => column === 'completion') ?? onlyOne(unread);
  if (columns.completion !== undefined) checkRenamed({ completion: columns.completion }, row);
  if (completion === undefined && needed === 'answers') {
    throw problem('data', {
      what: 'no column is known to hold what follows the template',
      got: there,
      fix: "say which one it is, such as columns: { completion: 'category' }",
    });
  }
  const rest = unread.filter(column => column !== completion);
  const end = completion === undefined ? '' : `, and '${completion}' follows it`;
  return {
    name: 'completion',
    columns: { ...(completion !== undefined && { completion }) },
    template,
    explanation: `Each row is a prompt by the template ${JSON.stringify(template.text)}${end} (completion)${notRead(rest)}.`,
  };
}

function onlyOne<T>(values: readonly T[]): T | undefined {
  return values.length === 1 ? values[0] : undefined;
}

function notRead(columns: readonly string[]): string {
  return columns.length === 0 ? '' : `. Not read: ${list(shown(columns))}`;
}

function formatNamed(name: RowFormatName): RowFormat {
  const format = rowFormats.find(format => format.name === name);
  if (format !== undefined) return format;
  const expected = rowFormats.map(({ name }) => name).join(', ');
  throw problem('data', { what: 'format is not usable', got: name, expected });
}

function columnsFor(
  { required, optional, aliases }: RowFormat,
  row: RowValue,
  renamed: Readonly<Record<string, string>>,
): Record<string, string> {
  const columnOf = (name: string): string => {
    const own = Object.hasOwn(renamed, name) ? renamed[name] : undefined;
    return own ?? [name, ...(aliases[name] ?? [])].find(column => Object.hasOwn(row, column)) ?? name;
  };
  return Object.fromEntries([...required, ...optional].map(name => [name, columnOf(name)]));
}

/** The row under the format's own names. */
function viewOf(columns: Readonly<Record<string, string>>, row: RowValue): RowValue {
  const own = Object.entries(columns).filter(([, column]) => Object.hasOwn(row, column));
  return Object.fromEntries(own.map(([name, column]) => [name, row[column]]));
}

function checkRenamed(renamed: Readonly<Record<string, string>>, row: RowValue): void {
  const known = rowFormats.flatMap(({ required, optional }) => [...required, ...optional]);
  const swapped = Object.entries(renamed).find(([name, column]) => !known.includes(name) && known.includes(column));
  if (swapped !== undefined) {
    const [column, name] = swapped;
    throw problem('data', {
      what: `columns: '${column}' is no name that a format reads`,
      expected: [...new Set(known)].join(', '),
      fix: `the name comes before the column: columns: { ${name}: '${column}' }`,
    });
  }
  checkOptions('data', 'columns', renamed, [...new Set(known)]);
  for (const [name, column] of Object.entries(renamed)) {
    if (Object.hasOwn(row, column)) continue;
    throw problem('data', { what: `there is no column '${column}' to be read as '${name}'`, got: Object.keys(row) });
  }
}

function explanationOf(
  { name, required, meaning }: RowFormat,
  columns: Readonly<Record<string, string>>,
  row: RowValue,
  isAsked: boolean,
): string {
  const read = new Set(Object.values(columns));
  const unread = Object.keys(row).filter(column => !read.has(column));
  const there = required.map(name => `'${columns[name]!}'`);
  const why = isAsked
    ? 'as you say'
    : `because there ${there.length === 1 ? 'is a column' : 'are columns'} ${list(there)}`;
  return `Each row is ${meaning} (${name}), ${why}${notRead(unread)}.`;
}

/** Names for a sentence: a file may have any number of columns. */
function shown(columns: readonly string[]): string[] {
  const names = columns.slice(0, MOST_SHOWN).map(column => `'${column}'`);
  return columns.length > MOST_SHOWN ? [...names, `${columns.length - MOST_SHOWN} more`] : names;
}

const MOST_SHOWN = 30;

function list(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)!}`;
}
