import type { RowValue } from '../../sources/rowSource.ts';
import { RowFault } from '../rowFault.ts';

/** The text in a column. @throws RowFault if it is no text, or an empty one where that is not allowed */
export function columnText(row: RowValue, column: string, empty: 'may be empty' | 'not empty' = 'not empty'): string {
  const value = row[column];
  if (typeof value !== 'string') {
    const what = value === undefined ? `the row has no '${column}'` : `'${column}' is no text`;
    throw new RowFault({ what, ...(value !== undefined && { got: value }), expected: 'a string' });
  }
  if (value === '' && empty === 'not empty') throw new RowFault({ what: `'${column}' is empty`, expected: 'a text' });
  if (!isWellFormed(value)) {
    throw new RowFault({
      what: `'${column}' holds half a character`,
      got: value,
      expected: 'text that UTF-8 can hold',
    });
  }
  return value;
}

/** The text in a column that may be missing or hold nothing. @throws RowFault for anything else */
export function optionalText(row: RowValue, column: string): string | undefined {
  return row[column] === undefined || row[column] === null ? undefined : columnText(row, column, 'may be empty');
}

/** Whether a text has no half of a surrogate pair, which UTF-8 cannot hold. */
export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}
