import type { FindEnd } from './scanRecords.ts';

/** The fields of a record. */
export interface CsvFields {
  readonly fields: readonly string[];
  readonly fault?: CsvFault;
}

/** What is wrong with a record. */
export interface CsvFault {
  readonly what: string;
  /** The text from there on. */
  readonly near: string;
  /** Whether a quoted field never ends. */
  readonly isOpen?: boolean;
}

export const QUOTE = '"';
const [QUOTE_BYTE, LINE_FEED] = [0x22, 0x0a];

/** Which of comma, tab and semicolon a line holds most of, quoted fields left out. */
export function csvDelimiter(line: Uint8Array): ',' | '\t' | ';' {
  const counts = new Map<number, number>();
  let isQuoted = false;
  for (const byte of line) {
    if (byte === QUOTE_BYTE) isQuoted = !isQuoted;
    else if (!isQuoted) counts.set(byte, (counts.get(byte) ?? 0) + 1);
  }
  const count = (delimiter: string): number => counts.get(delimiter.charCodeAt(0)) ?? 0;
  return ([',', '\t', ';'] as const).reduce((best, other) => (count(other) > count(best) ? other : best));
}

/** Finds the line feed that ends a record: none inside of quotes, which open at the start of a field. */
export function csvEnd(delimiter: string): FindEnd {
  const delimiterByte = delimiter.charCodeAt(0);
  return (bytes, start) => {
    for (let at = start; at < bytes.length; at++) {
      if (bytes[at] === QUOTE_BYTE) {
        at = closingQuote(bytes, at + 1);
        if (at < 0) return -1;
      }
      while (at < bytes.length && bytes[at] !== delimiterByte && bytes[at] !== LINE_FEED) at++;
      if (bytes[at] === LINE_FEED) return at;
    }
    return -1;
  };
}

/** Two quotes in a row are one that is meant. */
function closingQuote(bytes: Uint8Array, start: number): number {
  let at = bytes.indexOf(QUOTE_BYTE, start);
  while (at >= 0 && bytes[at + 1] === QUOTE_BYTE) at = bytes.indexOf(QUOTE_BYTE, at + 2);
  return at;
}

/** Takes a record apart, without its line feed. */
export function csvFields(record: string, delimiter: string): CsvFields {
  const fields: string[] = [];
  for (let at = 0; ;) {
    let end: number;
    if (record[at] === QUOTE) {
      const close = closingQuoteIn(record, at + 1);
      if (close < 0)
        return { fields, fault: { what: 'a quote is never closed', near: near(record, at), isOpen: true } };
      end = close + 1;
      fields.push(unquoted(record.slice(at + 1, close)));
      if (end < record.length && record[end] !== delimiter) {
        return {
          fields,
          fault: { what: 'something stands behind the quote that ends a field', near: near(record, close) },
        };
      }
    } else {
      end = record.indexOf(delimiter, at);
      if (end < 0) end = record.length;
      const field = record.slice(at, end);
      const quote = field.indexOf(QUOTE);
      if (quote >= 0) {
        const what = 'a quote stands inside of a field that does not begin with one';
        return { fields, fault: { what, near: near(record, at + quote) } };
      }
      fields.push(field);
    }
    if (end >= record.length) return { fields };
    at = end + 1;
  }
}

/** A field's text, in which two quotes stand for one. In pieces: a list of all places could be 40 times the text. */
function unquoted(text: string): string {
  if (text.length <= PIECE) return text.replaceAll(QUOTE + QUOTE, QUOTE);
  const pieces: string[] = [];
  for (let start = 0; start < text.length;) {
    let end = Math.min(start + PIECE, text.length);
    // Inside such a field quotes come in pairs; a piece ends between two of them.
    let quotes = 0;
    while (text.charCodeAt(end - 1 - quotes) === QUOTE_BYTE && end - quotes > start) quotes++;
    if (quotes % 2 === 1) end++;
    pieces.push(text.slice(start, end).replaceAll(QUOTE + QUOTE, QUOTE));
    start = end;
  }
  return pieces.join('');
}

const PIECE = 2 ** 16;

function closingQuoteIn(record: string, start: number): number {
  let at = record.indexOf(QUOTE, start);
  while (at >= 0 && record[at + 1] === QUOTE) at = record.indexOf(QUOTE, at + 2);
  return at;
}

function near(record: string, at: number): string {
  return record.slice(at, at + 40);
}
