import type { ByteSource } from './byteSource.ts';
import { recordRanges, type RecordRange } from './text/recordRanges.ts';
import type { RowSource, SourceRow } from './rowSource.ts';
import { readRanges, scanRecords, type FindEnd } from './text/scanRecords.ts';

/** How a text file's records become rows. */
export interface RecordFormat {
  readonly kind: string;
  readonly columns?: readonly string[];
  readonly findEnd: FindEnd;
  /** Reads a record. */
  readonly parse: (record: RecordRange, content: Uint8Array) => SourceRow;
  /** Whether the first record names the columns and is no row. @defaultValue false */
  readonly hasHeader?: boolean;
}

/** Rows that are parsed at a time: a chunk of a file may hold half a million. */
const GROUP = 4096;

/** Rows of a text file: where each lies is kept, so that they can be read in any order. */
export function recordSource(source: ByteSource, format: RecordFormat): RowSource {
  const { kind, columns, findEnd, parse, hasHeader = false } = format;
  const ranges = recordRanges();
  return {
    name: source.name,
    bytes: source.size,
    kind,
    ...(columns !== undefined && { columns }),
    async *scan() {
      let isHeader = hasHeader;
      for await (const records of scanRecords(source, findEnd)) {
        const rows = isHeader ? records.slice(1) : records;
        isHeader &&= records.length === 0;
        for (const record of rows) ranges.push(record);
        for (let at = 0; at < rows.length; at += GROUP) {
          yield rows.slice(at, at + GROUP).map(record => parse(record, record.content));
        }
      }
    },
    async read(rows) {
      const wanted = rows.map(row => ranges.at(row));
      const contents = await readRanges(source, wanted);
      return contents.map((content, i) => parse(wanted[i]!, content));
    },
  };
}
