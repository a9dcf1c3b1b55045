import { isObject, problem } from '@dropbp/basics';
import { withReader, type ByteSource } from '../byteSource.ts';
import { badRow, type RowSource, type RowValue, type SourceRow } from '../rowSource.ts';
import { byteOrderMark, MAX_TEXT_BYTES, utf8Text } from './utf8.ts';

/**
 * JSON: a list of objects, or an object with one such list. It is held in memory as a whole.
 *
 * @throws Problem if it is no JSON, holds no such list, or is too large
 */
export async function jsonSource(source: ByteSource, kind: string): Promise<RowSource> {
  const { name, size } = source;
  if (size > MAX_TEXT_BYTES) {
    throw problem('data', {
      what: `${name} is too large for JSON, which is read as a whole`,
      got: `${size} bytes`,
      expected: `at most ${MAX_TEXT_BYTES}`,
      fix: 'write it as JSON Lines, one object a line',
    });
  }
  const bytes = await withReader(source, reader => reader.read(0, size));
  const { rows, where } = listOf(name, parse(name, bytes));
  return { ...listSource(name, rows, { kind: `${kind}${where}` }), bytes: size };
}

/** Rows in memory. */
export function listSource(name: string, rows: readonly unknown[], { kind }: { readonly kind: string }): RowSource {
  const rowAt = (i: number): SourceRow => {
    const place = `${name}, row ${i + 1}`;
    const value = rows[i];
    if (isObject(value)) return { place, value };
    return badRow(place, { what: 'this is no object', got: value, expected: 'an object with the columns of the row' });
  };
  return {
    name,
    kind,
    // eslint-disable-next-line @typescript-eslint/require-await -- other sources have to wait
    async *scan() {
      for (let i = 0; i < rows.length; i += GROUP) {
        yield Array.from({ length: Math.min(GROUP, rows.length - i) }, (_, j) => rowAt(i + j));
      }
    },
    read: wanted => Promise.resolve(wanted.map(rowAt)),
  };
}

const GROUP = 1024;

function parse(name: string, bytes: Uint8Array): unknown {
  const text = utf8Text(bytes.subarray(byteOrderMark(bytes, name)));
  if (text === undefined) throw problem('data', { what: `${name} is no text`, expected: 'UTF-8' });
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw problem('data', {
      what: `${name} is no JSON (${(cause as Error).message})`,
      fix: 'name it .jsonl if it holds one object a line',
      cause,
    });
  }
}

function listOf(name: string, value: unknown): { rows: readonly unknown[]; where: string } {
  if (Array.isArray(value)) return { rows: value, where: '' };
  const lists = isObject(value) ? listsOf(value) : [];
  const only = lists[0];
  if (lists.length === 1 && only !== undefined) return { rows: only[1], where: `, its list '${only[0]}'` };
  throw problem('data', {
    what: `${name} holds no list of rows`,
    got: isObject(value) ? Object.keys(value) : value,
    expected: 'a list of objects, or an object with one list of objects',
    ...(lists.length > 1 && { fix: `give one of ${lists.map(([key]) => `'${key}'`).join(', ')} a file of its own` }),
  });
}

function listsOf(value: RowValue): [string, readonly unknown[]][] {
  return Object.entries(value).filter(
    (entry): entry is [string, readonly unknown[]] => Array.isArray(entry[1]) && entry[1].some(isObject),
  );
}
