import { problem } from '@dropbp/basics';
import type { ByteSource } from '../byteSource.ts';
import { csvDelimiter, csvEnd, csvFields, QUOTE, type CsvFields } from './csvFields.ts';
import { recordSource } from '../recordSource.ts';
import { badRow, type RowSource, type SourceRow } from '../rowSource.ts';
import { endOfLine, scanRecords, type FindEnd } from './scanRecords.ts';
import { utf8Text } from './utf8.ts';

/**
 * Comma-separated values by RFC 4180, with names of columns in the first record. Fields may also be parted by tabs or
 * semicolons: by whichever of them the first line holds most of. Every value is a string.
 *
 * @throws Problem if the first record does not name the columns
 */
export async function csvSource(source: ByteSource, kind: string): Promise<RowSource> {
  const firstLine = await firstRecord(source, endOfLine);
  const delimiter = csvDelimiter(firstLine);
  const findEnd = csvEnd(delimiter);
  const columns = headerOf(source.name, csvFields(text(await firstRecord(source, findEnd)), delimiter));
  return recordSource(source, {
    kind: `${kind}, parted by ${delimiterNames[delimiter]!}`,
    columns,
    findEnd,
    hasHeader: true,
    parse({ line }, content) {
      const place = `${source.name}, line ${line}`;
      const decoded = utf8Text(content);
      if (decoded === undefined) return badRow(place, { what: 'the row is no text', expected: 'UTF-8' });
      return rowOf(place, columns, csvFields(decoded, delimiter));
    },
  });
}

const delimiterNames: Readonly<Record<string, string>> = { ',': 'commas', '\t': 'tabs', ';': 'semicolons' };

async function firstRecord(source: ByteSource, findEnd: FindEnd): Promise<Uint8Array> {
  for await (const records of scanRecords(source, findEnd)) if (records[0] !== undefined) return records[0].content;
  return new Uint8Array();
}

function text(content: Uint8Array): string {
  return utf8Text(content) ?? '';
}

function headerOf(name: string, { fields, fault }: CsvFields): string[] {
  const columns = fields.map(field => field.trim());
  const areDistinct = new Set(columns).size === columns.length;
  if (fault === undefined && areDistinct && columns.every(column => column !== '')) return columns;
  throw problem('data', {
    what: `${name}: the first line does not name the columns${fault === undefined ? '' : ` (${fault.what})`}`,
    got: columns,
    expected: 'a name for each column, none of them twice',
    fix: 'put a line such as "prompt,completion" in front',
  });
}

function rowOf(place: string, columns: readonly string[], { fields, fault }: CsvFields): SourceRow {
  if (fault?.isOpen === true) {
    // Where the rows behind it begin can only be guessed, so that skipping this one row is not possible.
    throw problem('data', {
      what: `${place}: ${fault.what}, so that the rest of the file belongs to this row`,
      fix: `close the quote; a quote inside of a quoted field is written twice (${QUOTE}${QUOTE})`,
    });
  }
  if (fault !== undefined) return badRow(place, { what: fault.what, got: fault.near, expected: 'fields by RFC 4180' });
  if (fields.length === columns.length) {
    return { place, value: Object.fromEntries(columns.map((column, i) => [column, fields[i]!])) };
  }
  return badRow(place, {
    what: 'the row has another number of fields than the first line',
    got: fields.length,
    expected: `${columns.length}: ${columns.join(', ')}`,
    fix: 'put fields that hold the separator or a line break between quotes',
  });
}
