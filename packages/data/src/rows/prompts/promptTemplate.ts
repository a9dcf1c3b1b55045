import { nearNames, problem } from '@dropbp/basics';
import type { RowValue } from '../../sources/rowSource.ts';
import { isWellFormed } from '../formats/columnText.ts';
import { RowFault } from '../rowFault.ts';

/** A prompt with places for columns: `'Title: {title}\nCategory:'`. */
export interface PromptTemplate {
  /** As it was given. */
  readonly text: string;
  /** The columns that it reads, each once. */
  readonly columns: readonly string[];
  /** The prompt of a row. @throws RowFault where a column holds nothing that can be written */
  fill(row: RowValue): string;
}

type Part = string | { readonly column: string };

/**
 * Reads a template. A column stands between braces; braces that are text are written twice.
 *
 * @throws Problem for a brace without its other half, or a template that reads no column
 */
export function readPromptTemplate(text: unknown): PromptTemplate {
  if (typeof text !== 'string') throw unusable(text, `a text such as ${example}`);
  const parts: Part[] = [];
  for (let at = 0; at < text.length;) {
    const brace: number = text.slice(at).search(/[{}]/);
    const end = brace < 0 ? text.length : at + brace;
    if (end > at) parts.push(text.slice(at, end));
    if (brace < 0) break;
    if (text[end + 1] === text[end]) {
      parts.push(text[end]!);
      at = end + 2;
      continue;
    }
    const close = text.indexOf('}', end);
    const column = text.slice(end + 1, close).trim();
    if (text[end] === '}' || close < 0 || column === '' || column.includes('{')) {
      throw unusable(text.slice(end, end + 40), 'a column between braces, and braces that are text written twice');
    }
    parts.push({ column });
    at = close + 1;
  }
  const columns = [...new Set(parts.flatMap(part => (typeof part === 'string' ? [] : [part.column])))];
  if (columns.length === 0) throw unusable(text, `a column between braces, as in ${example}`);
  const fill = (row: RowValue): string =>
    parts.map(part => (typeof part === 'string' ? part : cellText(row, part.column))).join('');
  return { text, columns, fill };
}

/** @throws Problem that names the columns, where the template reads another one */
export function checkTemplateColumns({ columns }: PromptTemplate, row: RowValue): void {
  const there = Object.keys(row);
  const missing = columns.find(column => !Object.hasOwn(row, column));
  if (missing === undefined) return;
  const [near] = nearNames(missing, there);
  throw problem('data', {
    what: `template: there is no column '${missing}'`,
    expected: `one of ${there
      .slice(0, MOST_SHOWN)
      .map(column => `'${column}'`)
      .join(', ')}`,
    ...(near !== undefined && { fix: `did you mean '{${near}}'?` }),
  });
}

/** A text, a number or a truth value in a column, as text. @throws RowFault for anything else */
export function cellText(row: RowValue, column: string): string {
  const value = row[column];
  if (value === undefined || value === null) {
    throw new RowFault({ what: `'${column}' is empty`, expected: 'a text or a number' });
  }
  if (
    typeof value !== 'string' &&
    typeof value !== 'number' &&
    typeof value !== 'bigint' &&
    typeof value !== 'boolean'
  ) {
    throw new RowFault({ what: `'${column}' is not a text`, got: value, expected: 'a text or a number' });
  }
  const text = String(value);
  if (isWellFormed(text)) return text;
  throw new RowFault({ what: `'${column}' holds half a character`, got: value, expected: 'text that UTF-8 can hold' });
}

/** What stands between a filled template and its completion: a space, where neither has white space there. */
export function gapBetween(prompt: string, completion: string): string {
  return isGlued(prompt, completion) ? ' ' : '';
}

/** Whether a prompt and what follows it meet without white space between them. */
export function isGlued(prompt: string, completion: string): boolean {
  return prompt !== '' && completion !== '' && !/\s$/.test(prompt) && !/^\s/.test(completion);
}

/** A file may have any number of columns. */
const MOST_SHOWN = 30;

const example = "'Title: {title}\\nCategory:'";

function unusable(got: unknown, expected: string): Error {
  return problem('data', { what: 'template is not usable', got, expected });
}
