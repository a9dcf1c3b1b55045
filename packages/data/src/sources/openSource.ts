import { problem } from '@dropbp/basics';
import { byteSource } from './byteSource.ts';
import { csvSource } from './text/csv.ts';
import { jsonSource } from './text/json.ts';
import { jsonLinesSource } from './text/jsonLines.ts';
import { parquetSource } from './parquet/parquet.ts';
import { textSource } from './text/plainText.ts';
import type { RowSource } from './rowSource.ts';

/** The kinds of files that hold rows. */
export type FileType = 'jsonl' | 'json' | 'csv' | 'parquet' | 'text';

const endings: ReadonlyMap<string, FileType> = new Map([
  ['jsonl', 'jsonl'],
  ['ndjson', 'jsonl'],
  ['json', 'json'],
  ['csv', 'csv'],
  ['tsv', 'csv'],
  ['parquet', 'parquet'],
  ['txt', 'text'],
  ['md', 'text'],
]);

const names: Readonly<Record<FileType, string>> = {
  jsonl: 'JSON Lines',
  json: 'JSON',
  csv: 'CSV',
  parquet: 'Parquet',
  text: 'plain text',
};

/** @throws Problem if the file cannot be read, or neither its name nor `fileType` says what it is */
export async function openSource(data: string | Blob, fileType?: FileType): Promise<RowSource> {
  const source = await byteSource(data);
  const ending = /\.([a-z]+)(\.gz)?$/i.exec(source.name)?.[1]?.toLowerCase() ?? '';
  const type = fileType ?? endings.get(ending);
  const all = Object.keys(names).join(', ');
  if (type === undefined) {
    throw problem('data', {
      what: `the name of ${source.name} does not say what kind of file it is`,
      expected: `one that ends in ${[...endings.keys()].map(name => `.${name}`).join(', ')}, and .gz behind it where it is compressed`,
      fix: `or say what it is by fileType: ${all}`,
    });
  }
  if (!Object.hasOwn(names, type)) throw problem('data', { what: 'fileType is not usable', got: type, expected: all });
  const kind = `${names[type]}, ${fileType === undefined ? `by its ending .${ending}` : 'as you say'}`;
  switch (type) {
    case 'jsonl':
      return jsonLinesSource(source, kind);
    case 'json':
      return jsonSource(source, kind);
    case 'csv':
      return csvSource(source, kind);
    case 'parquet':
      return parquetSource(source, kind);
    case 'text':
      return textSource(source, kind);
  }
}
