import {
  parquetMetadataAsync,
  parquetReadObjects,
  type AsyncBuffer,
  type ColumnMetaData,
  type Compressors,
  type FileMetaData,
  type ParquetParsers,
} from 'hyparquet';
import { problem, Problem } from '@dropbp/basics';
import { withReader, type ByteReader, type ByteSource } from './byteSource.ts';
import { PARQUET_LIMITS, type TakeBytes } from './parquetLimits.ts';
import { checkParquetPages } from './parquetPages.ts';
import { checkParquetStruct } from './parquetThrift.ts';
import type { RowSource, RowValue, SourceRow } from './rowSource.ts';
import { unpackedLimit } from './unpackedLimit.ts';
import { utf8Text } from './utf8.ts';

/** How many row groups are kept decoded: rows are asked for in the order of their groups. */
const KEPT_GROUPS = 2;

/**
 * Apache Parquet. A row group is decoded as a whole, of the wanted columns alone; a file may hold any number of them.
 *
 * @throws Problem if the file is damaged, or larger in its parts than {@link PARQUET_LIMITS} allow
 */
export async function parquetSource(source: ByteSource, kind: string): Promise<RowSource> {
  const metadata = await withReader(source, async reader => {
    await checkFooter(source, reader);
    return parquetMetadataAsync(bufferOf(source, reader), noGeometry);
  }).catch((cause: unknown) => {
    throw damaged(source.name, cause);
  });
  const groups = groupsOf(source, metadata);
  const budget = unpackingBudget(source.size);
  const columns = columnNames(source.name, metadata);
  let wanted = columns;
  const decoded = new Map<number, Promise<readonly RowValue[]>>();
  const rowsOf = (group: number): Promise<readonly RowValue[]> => {
    const rows =
      decoded.get(group) ?? readGroup(source, metadata, groups[group]!, { columns: wanted, take: budget.of(group) });
    decoded.delete(group);
    decoded.set(group, rows);
    for (const oldest of [...decoded.keys()].slice(0, -KEPT_GROUPS)) decoded.delete(oldest);
    return rows;
  };
  const placed = (value: RowValue, row: number): SourceRow => ({ place: `${source.name}, row ${row + 1}`, value });
  return {
    name: source.name,
    bytes: source.size,
    kind,
    columns,
    blocks: groups.map(({ start }) => start),
    select(names) {
      wanted = columns.filter(name => names.includes(name));
      decoded.clear();
      budget.clear();
    },
    async *scan() {
      for (const [i, { start }] of groups.entries()) {
        yield (await rowsOf(i)).map((value, row) => placed(value, start + row));
      }
    },
    async read(rows) {
      const result: SourceRow[] = [];
      for (const row of rows) {
        const group = groupAt(groups, row);
        const values = await rowsOf(group);
        result.push(placed(values[row - groups[group]!.start]!, row));
      }
      return result;
    },
  };
}

/** Adds up what the groups of a file unpack to: each may be within its limits, and all of them together far above. */
function unpackingBudget(fileBytes: number): { of(group: number): TakeBytes; clear(): void } {
  const most = unpackedLimit(fileBytes);
  const taken = new Map<number, number>();
  let total = 0;
  return {
    of(group) {
      // What is decoded again counts once.
      total -= taken.get(group) ?? 0;
      taken.set(group, 0);
      return bytes => {
        total += bytes;
        const ofGroup = taken.get(group)! + bytes;
        taken.set(group, ofGroup);
        if (total > most) throw new Error(`its rows unpack to more than ${most} bytes, for ${fileBytes} in the file`);
        if (ofGroup > PARQUET_LIMITS.groupBytes) {
          throw new Error(`a row group unpacks to more than ${PARQUET_LIMITS.groupBytes} bytes`);
        }
      };
    },
    clear() {
      taken.clear();
      total = 0;
    },
  };
}

/** A row group that holds rows. */
interface Group {
  readonly number: number;
  readonly start: number;
  readonly rows: number;
}

const noGeometry = { geoparquet: false } as const;

function groupsOf({ name, size }: ByteSource, { row_groups }: FileMetaData): Group[] {
  let start = 0;
  const groups = row_groups.map(({ num_rows, columns }, number): Group => {
    const rows = Number(num_rows);
    if (!(rows >= 0 && rows <= PARQUET_LIMITS.values)) throw damaged(name, `row group ${number} claims ${rows} rows`);
    for (const { meta_data: column } of columns) {
      if (column === undefined) throw damaged(name, 'a column without metadata');
      const { start, end } = rangeOf(column);
      const isInside = start >= 0 && end >= start && end <= size && end - start <= PARQUET_LIMITS.chunkBytes;
      const values = Number(column.num_values);
      if (!isInside || !(values >= 0 && values <= PARQUET_LIMITS.values)) {
        throw damaged(name, `a column claims bytes ${start} to ${end} and ${values} values`);
      }
    }
    const group = { number, start, rows };
    start += rows;
    return group;
  });
  return groups.filter(({ rows }) => rows > 0);
}

/** The group that holds a row: the last one that starts at it or before. */
function groupAt(groups: readonly Group[], row: number): number {
  let [low, high] = [0, groups.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (groups[middle]!.start <= row) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Where a column of a row group lies: a dictionary comes first, where there is one. */
function rangeOf(column: ColumnMetaData): { start: number; end: number } {
  const { dictionary_page_offset: dictionary, data_page_offset: data, total_compressed_size: bytes } = column;
  const start = Number(dictionary === undefined || dictionary === 0n ? data : dictionary);
  return { start, end: start + Number(bytes) };
}

/** The metadata at the end of the file. @throws Error that says what is wrong */
async function checkFooter({ size }: ByteSource, reader: ByteReader): Promise<void> {
  const end = size - 8;
  if (end < 4) throw new Error('it is too short');
  const tail = await reader.read(end, size);
  const length = new DataView(tail.buffer, tail.byteOffset).getUint32(0, true);
  // A length beyond the file is refused where the metadata is read.
  if (length <= end) checkParquetStruct(await reader.read(end - length, end), 'FileMetaData');
}

function columnNames(file: string, { schema }: FileMetaData): string[] {
  const names: string[] = [];
  const root = schema[0];
  let at = 1;
  for (let left = root?.num_children ?? 0; left > 0 && at < schema.length; left--) {
    names.push(schema[at]!.name);
    let inside = 1; // goes past the element and all below it
    while (inside > 0 && at < schema.length) inside += (schema[at++]!.num_children ?? 0) - 1;
  }
  if (at !== schema.length) throw damaged(file, 'the schema holds more than its columns');
  return names;
}

async function readGroup(
  source: ByteSource,
  metadata: FileMetaData,
  { number, start, rows }: Group,
  { columns, take }: { readonly columns: readonly string[]; readonly take: TakeBytes },
): Promise<readonly RowValue[]> {
  const chunks = metadata.row_groups[number]!.columns.map(({ meta_data }) => meta_data!).filter(
    ({ path_in_schema: [name] }) => columns.includes(name!),
  );
  try {
    const compressors = await compressorsFor(chunks.map(({ codec }) => codec));
    return await withReader(source, async reader => {
      for (const column of chunks) {
        const { start, end } = rangeOf(column);
        checkParquetPages(await reader.read(start, end), column, { metadata, rows, compressors, take });
      }
      const values = await parquetReadObjects({
        file: bufferOf(source, reader),
        // Of one group alone: the reader goes through all that it is given.
        metadata: { ...metadata, row_groups: [metadata.row_groups[number]!], num_rows: BigInt(rows) },
        columns: [...columns],
        rowStart: 0,
        rowEnd: rows,
        parsers,
        ...(compressors !== undefined && { compressors }),
      });
      return chunks.some(({ type }) => type === 'INT64') ? values.map(row => withNumbers(row) as RowValue) : values;
    });
  } catch (cause) {
    throw damaged(source.name, cause, start);
  }
}

/** 64-bit integers as numbers, which is what JSON has, where a number can hold them. */
function withNumbers(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (Array.isArray(value)) return value.map(withNumbers);
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, withNumbers(part)]));
}

/** Text that is no UTF-8 becomes no string, so that its row is refused like any other that holds no text. */
const parsers: Partial<ParquetParsers> = {
  stringFromBytes: bytes => (bytes as Uint8Array | undefined) && (utf8Text(bytes) ?? { problem: 'no UTF-8' }),
};

/** Unpacking beyond Snappy, which the reader brings, is loaded where a file asks for it. */
async function compressorsFor(codecs: readonly string[]): Promise<Compressors | undefined> {
  if (codecs.every(codec => codec === 'UNCOMPRESSED' || codec === 'SNAPPY')) return undefined;
  const { compressors, decompressZstd } = await import('hyparquet-compressors');
  // Into memory of the size that the page claims and that was checked, or a small file could fill all of it.
  const zstd = decompressZstd as (input: Uint8Array, output: Uint8Array) => Uint8Array;
  const all: Compressors = { ...compressors, ZSTD: (input, size) => zstd(input, new Uint8Array(size)) };
  // Nothing, packed by LZ4, is more than its decoder takes.
  const orNothing = Object.entries(all).map(([codec, unpack]): [string, typeof unpack] => [
    codec,
    (input, size) => (size === 0 ? new Uint8Array() : unpack(input, size)),
  ]);
  return Object.fromEntries(orNothing);
}

function bufferOf({ size }: ByteSource, reader: ByteReader): AsyncBuffer {
  return {
    byteLength: size,
    async slice(start, end = size) {
      if (!(start >= 0 && end >= start && end <= size)) throw new RangeError(`no bytes ${start} to ${end}`);
      const bytes = await reader.read(start, end);
      return bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength
        ? (bytes.buffer as ArrayBuffer)
        : new Uint8Array(bytes).buffer;
    },
  };
}

function damaged(name: string, cause: unknown, row?: number): Error {
  if (cause instanceof Problem) return cause; // the file changed, say
  // What the reader stumbles over says nothing to a user.
  const isStumble = cause instanceof TypeError || cause instanceof RangeError;
  const reason = isStumble
    ? 'its metadata and its data differ'
    : cause instanceof Error
      ? cause.message
      : String(cause);
  return problem('data', {
    what: `${name} is no Parquet file that can be read${row === undefined ? '' : `, from row ${row + 1} on`} (${reason})`,
    fix: 'look whether the file is whole; what wrote it may also write JSON Lines',
    ...(cause instanceof Error && { cause }),
  });
}
