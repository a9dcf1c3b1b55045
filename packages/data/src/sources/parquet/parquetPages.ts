import { parquetSchema, type ColumnMetaData, type Compressors, type FileMetaData, type PageHeader } from 'hyparquet';
// hyparquet exports its modules, for those who read pages themselves.
import { parquetHeader } from 'hyparquet/src/column.js';
import { decompressPage } from 'hyparquet/src/datapage.js';
import { getMaxDefinitionLevel, getMaxRepetitionLevel, getTreePath, isFlatColumn } from 'hyparquet/src/schema.js';
import { checkParquetStruct } from './parquetThrift.ts';
import { PARQUET_LIMITS, VALUE_BYTES, type TakeBytes } from './parquetLimits.ts';
import { lz4Size, snappySize } from './parquetSizes.ts';
import { checkDeltaBytes, checkDeltas, checkRuns, sharedBytes } from './parquetRuns.ts';

/** What the pages of a column are checked with. */
interface ColumnContext {
  readonly metadata: FileMetaData;
  readonly rows: number;
  readonly compressors: Compressors | undefined;
  readonly take: TakeBytes;
}

/**
 * Goes through the pages of a column, and refuses what the reader would take on trust: sizes and counts that the bytes do
 * not bear out, and runs that are longer than their page. A few damaged bytes could otherwise fill all memory.
 *
 * @param chunk - the column's bytes in a row group
 * @throws Error that says what is wrong
 */
export function checkParquetPages(
  chunk: Uint8Array,
  column: ColumnMetaData,
  { metadata, rows, compressors, take }: ColumnContext,
): void {
  const path = getTreePath(parquetSchema(metadata), column.path_in_schema);
  const levels = { repetition: getMaxRepetitionLevel(path), definition: getMaxDefinitionLevel(path) };
  const reader = { view: new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength), offset: 0 };
  let values = 0;
  let entries: Uint32Array | undefined;
  while (reader.offset < chunk.length - 1) {
    checkParquetStruct(chunk, 'PageHeader', reader.offset);
    const header = parquetHeader(reader);
    const { compressed_page_size: size, uncompressed_page_size: unpackedSize } = header;
    const isSized = size >= 0 && reader.offset + size <= chunk.length;
    if (!isSized || unpackedSize < 0 || unpackedSize > PARQUET_LIMITS.pageBytes)
      throw new Error('a page of no such size');
    const bytes = chunk.subarray(reader.offset, reader.offset + size);
    reader.offset += size;
    const count = countOf(header);
    if (header.type !== 'DICTIONARY_PAGE') values += count;
    if (count < 0 || count > PARQUET_LIMITS.values || values > Number(column.num_values)) {
      throw new Error('a page of more values than the column has');
    }
    // Before it is unpacked.
    take(unpackedSize + VALUE_BYTES * count);
    if (header.type === 'DICTIONARY_PAGE') {
      const { encoding } = header.dictionary_page_header ?? {};
      if (encoding !== 'PLAIN' && encoding !== 'PLAIN_DICTIONARY')
        throw new Error('a dictionary in another encoding than PLAIN');
      const page = unpackPage(bytes, unpackedSize, column.codec, compressors);
      if (column.type === 'BYTE_ARRAY') entries = entryBytes(page, count);
    } else checkPage(bytes, header, { levels, column, compressors, entries, take });
  }
  if (values !== Number(column.num_values)) throw new Error('a column of fewer values than it claims');
  if (isFlatColumn(path) && values !== rows) throw new Error('a column of another length than the others');
}

/** A page as its codec unpacks it. @throws Error where the codec's own bytes tell another size */
function unpackPage(
  bytes: Uint8Array,
  size: number,
  codec: ColumnMetaData['codec'],
  compressors: Compressors | undefined,
): Uint8Array {
  const own = codec === 'SNAPPY' ? snappySize(bytes) : codec === 'LZ4_RAW' ? lz4Size(bytes) : size;
  if (own !== size && bytes.length > 0) throw new Error(`a page of ${own} bytes that claims ${size}`);
  return decompressPage(bytes, size, codec, compressors);
}

/** Values that share an entry of a dictionary take time, but no memory of their own. */
const SHARED = 16;

/** The lengths of a dictionary's byte arrays. */
function entryBytes(page: Uint8Array, count: number): Uint32Array {
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  const lengths = new Uint32Array(count);
  for (let i = 0, at = 0; i < count; i++) {
    const length = view.getUint32(at, true);
    at += 4 + length;
    if (at > page.length) throw new Error('a dictionary of no such size');
    lengths[i] = length;
  }
  return lengths;
}

function countOf({
  data_page_header: v1,
  data_page_header_v2: v2,
  dictionary_page_header: dictionary,
}: PageHeader): number {
  const header = v1 ?? v2 ?? dictionary;
  if (header === undefined) throw new Error('a page without a header');
  return header.num_values;
}

interface PageContext {
  readonly levels: { readonly repetition: number; readonly definition: number };
  readonly column: ColumnMetaData;
  readonly compressors: Compressors | undefined;
  /** The lengths of the entries of the dictionary, where they are byte arrays. */
  readonly entries: Uint32Array | undefined;
  readonly take: TakeBytes;
}

function checkPage(bytes: Uint8Array, header: PageHeader, context: PageContext): void {
  const { levels, column, compressors } = context;
  const { codec } = column;
  const v1 = header.data_page_header;
  if (header.type === 'DATA_PAGE' && v1 !== undefined) {
    const page = unpackPage(bytes, header.uncompressed_page_size, codec, compressors);
    let at = 0;
    for (const level of [levels.repetition, levels.definition]) {
      if (level > 0) at = checkSizedRuns(page, at, bitWidth(level), v1.num_values);
    }
    const { repetition_level_encoding: repetition, definition_level_encoding: definition } = v1;
    const isRead =
      (levels.repetition === 0 || repetition === 'RLE') && (levels.definition === 0 || definition === 'RLE');
    if (!isRead) throw new Error('levels in another encoding than RLE');
    checkValues(page.subarray(at), v1.encoding, context, v1.num_values);
  }
  const v2 = header.data_page_header_v2;
  if (header.type === 'DATA_PAGE_V2' && v2 !== undefined) {
    const repetitionEnd = v2.repetition_levels_byte_length;
    const levelsEnd = repetitionEnd + v2.definition_levels_byte_length;
    if (v2.num_nulls < 0 || v2.num_nulls > v2.num_values) throw new Error('a page of more nulls than values');
    if (repetitionEnd < 0 || levelsEnd < repetitionEnd || levelsEnd > bytes.length)
      throw new Error('levels of no such size');
    if (levels.repetition > 0) checkRuns(bytes.subarray(0, repetitionEnd), bitWidth(levels.repetition), v2.num_values);
    if (levels.definition > 0) {
      checkRuns(bytes.subarray(repetitionEnd, levelsEnd), bitWidth(levels.definition), v2.num_values);
    }
    const packed = bytes.subarray(levelsEnd);
    const size = header.uncompressed_page_size - levelsEnd;
    const isPacked = v2.is_compressed !== false && packed.length > 0;
    checkValues(isPacked ? unpackPage(packed, size, codec, compressors) : packed, v2.encoding, context, v2.num_values);
  }
}

/** @param most - how many values there are at most; fewer where some are null */
function checkValues(values: Uint8Array, encoding: string, { column, entries, take }: PageContext, most: number): void {
  const { type } = column;
  if (encoding === 'PLAIN_DICTIONARY' || encoding === 'RLE_DICTIONARY') {
    const width = values[0] ?? 0;
    if (width > 32) throw new Error('indices of more than 32 bits');
    if (values.length > 1) {
      checkRuns(values.subarray(1), width, most, 'fewer allowed');
      if (entries !== undefined) take(sharedBytes(values.subarray(1), width, most, entries) / SHARED);
    }
  } else if (encoding === 'RLE') {
    if (type !== 'BOOLEAN') throw new Error(`encoding RLE for ${type}`);
    checkSizedRuns(values, 0, 1, most, 'fewer allowed');
  } else if (encoding === 'DELTA_BYTE_ARRAY') take(checkDeltaBytes(values, most));
  else if (encoding.startsWith('DELTA_')) checkDeltas(values, most);
}

function checkSizedRuns(page: Uint8Array, at: number, width: number, count: number, fewer?: 'fewer allowed'): number {
  const size = new DataView(page.buffer, page.byteOffset, page.byteLength).getUint32(at, true);
  const end = at + 4 + size;
  if (end > page.length) throw new Error('levels of no such size');
  checkRuns(page.subarray(at + 4, end), width, count, fewer);
  return end;
}

/** Bits that hold the numbers up to this one. */
function bitWidth(most: number): number {
  return 32 - Math.clz32(most);
}
