import { isObject } from '@dropbp/basics';
import type { ByteSource } from '../byteSource.ts';
import { recordSource } from '../recordSource.ts';
import { badRow, type RowSource, type SourceRow } from '../rowSource.ts';
import { endOfLine } from './scanRecords.ts';
import { utf8Text } from './utf8.ts';

/** JSON Lines: an object on each line. Empty lines are left out. */
export function jsonLinesSource(source: ByteSource, kind: string): RowSource {
  return recordSource(source, {
    kind,
    findEnd: endOfLine,
    parse: ({ line }, content) => parseLine(`${source.name}, line ${line}`, content),
  });
}

function parseLine(place: string, content: Uint8Array): SourceRow {
  const text = utf8Text(content);
  if (text === undefined) return badRow(place, { what: 'the line is no text', expected: 'UTF-8' });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    return badRow(place, { what: `the line is no JSON (${(cause as Error).message})`, got: text, cause });
  }
  if (isObject(value)) return { place, value };
  return badRow(place, {
    what: 'the line is no object',
    got: value,
    expected: 'an object with the columns of the row',
  });
}
