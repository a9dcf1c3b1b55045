import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { isObject, problem } from '@dropbp/basics';
import { readRows } from '@dropbp/data';

/** A text with where it stands, and its label where there is one. */
export interface InputText {
  readonly text: string;
  readonly label?: string;
  /** For messages: `'mails.jsonl, row 3'`. */
  readonly place: string;
}

/** Files of rows; others hold a text in each line. */
const rowFile = /\.(jsonl|ndjson|json|csv|tsv|parquet)(\.gz)?$/i;

/**
 * Texts of a file, or the lines of a stream where no file is given.
 *
 * @throws Problem for a file that cannot be read, or a row without a text, while they are read
 */
export async function* inputTexts(
  file: string | undefined,
  input: Readable,
): AsyncGenerator<InputText, void, undefined> {
  if (file !== undefined && rowFile.test(file)) {
    for await (const { place, value } of readRows(file)) yield textOf(value, place);
    return;
  }
  const name = file ?? 'standard input';
  let number = 0;
  try {
    for await (const text of createInterface({ input: file === undefined ? input : createReadStream(file) })) {
      yield { text, place: `${name}:${++number}` };
    }
  } catch (cause) {
    if (!(cause instanceof Error) || !('code' in cause)) throw cause;
    throw problem('cli', { what: `${name} cannot be read`, expected: 'a file with a text in each line', cause });
  }
}

function textOf(value: unknown, place: string): InputText {
  const { text, label } = isObject(value) ? value : {};
  if (typeof text !== 'string') {
    throw problem('cli', {
      what: `${place}: the column text is missing`,
      got: value,
      expected: 'rows with text, and label',
    });
  }
  if (label === undefined || label === null) return { text, place };
  return { text, label: typeof label === 'string' ? label : JSON.stringify(label), place };
}
