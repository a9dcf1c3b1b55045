import { checkOptions, problem } from '@dropbp/basics';
import type { RowValue } from '../sources/rowSource.ts';
import { rowFormats, type RowFormat, type RowFormatName } from './rowFormat.ts';
import type { Sample } from './sample.ts';

/** Options of {@link recognizeFormat}. */
export interface RecognizeFormatOptions {
  /** Takes this format, whatever the columns are called. @defaultValue the first that fits */
  readonly format?: RowFormatName;
  /** The columns that hold what a format reads, by its names: `{ prompt: 'question', completion: 'answer' }`. */
  readonly columns?: Readonly<Record<string, string>>;
}

/** The format of a file's rows. */
export interface RecognizedFormat {
  /** The format. */
  readonly name: RowFormatName;
  /** Which column is read for each of the format's names. */
  readonly columns: Readonly<Record<string, string>>;
  /** What was recognised, and why: a sentence for people. */
  readonly explanation: string;
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
  checkOptions('data', 'recognizeFormat()', options, ['format', 'columns']);
  const { format: asked, columns: renamed = {} } = options;
  checkRenamed(renamed, row);
  const candidates = asked === undefined ? rowFormats : [formatNamed(asked)];
  for (const format of candidates) {
    const columns = columnsFor(format, row, renamed);
    const isRead = Object.keys(renamed).every(name => name in columns);
    const isThere = format.required.every(name => row[columns[name]!] !== undefined);
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
export function sampleOf({ name, columns }: RecognizedFormat, row: RowValue): Sample {
  return formatNamed(name).toSample(viewOf(columns, row));
}

/** The names of all columns that some format reads, under all names that it knows. */
export function readableColumns({ columns = {} }: RecognizeFormatOptions): string[] {
  const own = rowFormats.flatMap(({ required, optional, aliases }) => [
    ...required,
    ...optional,
    ...Object.values(aliases).flat(),
  ]);
  return [...own, ...Object.values(columns)];
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
  const rest = unread.length === 0 ? '' : `. Not read: ${list(shown(unread))}`;
  return `Each row is ${meaning} (${name}), ${why}${rest}.`;
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
