import { utf8Text } from '../text/utf8.ts';

// hyparquet takes a field of any type, the last one where it stands twice, and none where it is missing. Other readers refuse such
// files, or read other values from them; so do we refuse them. Source: parquet.thrift and the compact protocol of Apache Thrift.

const [TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]; // prettier-ignore

/** What a field holds: a kind of the protocol, a struct by its name, or a list of such. */
type FieldKind = 'bool' | 'i32' | 'i64' | 'text' | 'any list' | StructName | readonly ['i32' | 'text' | StructName];
type StructName = keyof typeof required;

/** Fields that every file has, by number. What is not here is looked at as far as its structure goes. */
const required = {
  FileMetaData: { 1: 'i32', 2: ['SchemaElement'], 3: 'i64', 4: ['RowGroup'] },
  SchemaElement: { 4: 'text' },
  RowGroup: { 1: ['ColumnChunk'], 2: 'i64', 3: 'i64' },
  ColumnChunk: { 2: 'i64' },
  ColumnMetaData: { 1: 'i32', 2: ['i32'], 3: ['text'], 4: 'i32', 5: 'i64', 6: 'i64', 7: 'i64', 9: 'i64' },
  KeyValue: { 1: 'text' },
  PageEncodingStats: { 1: 'i32', 2: 'i32', 3: 'i32' },
  SortingColumn: { 1: 'i32', 2: 'bool', 3: 'bool' },
  PageHeader: { 1: 'i32', 2: 'i32', 3: 'i32' },
  DataPageHeader: { 1: 'i32', 2: 'i32', 3: 'i32', 4: 'i32' },
  DictionaryPageHeader: { 1: 'i32', 2: 'i32' },
  DataPageHeaderV2: { 1: 'i32', 2: 'i32', 3: 'i32', 4: 'i32', 5: 'i32', 6: 'i32' },
} as const satisfies Record<string, Readonly<Record<number, unknown>>>;

const optional: Readonly<Partial<Record<StructName, Readonly<Record<number, FieldKind>>>>> = {
  FileMetaData: { 5: ['KeyValue'], 6: 'text', 7: 'any list' },
  SchemaElement: { 1: 'i32', 2: 'i32', 3: 'i32', 5: 'i32', 6: 'i32', 7: 'i32', 8: 'i32', 9: 'i32' },
  ColumnChunk: { 1: 'text', 3: 'ColumnMetaData' },
  RowGroup: { 4: ['SortingColumn'] },
  ColumnMetaData: { 8: ['KeyValue'], 10: 'i64', 11: 'i64', 13: ['PageEncodingStats'] },
  PageHeader: { 4: 'i32', 5: 'DataPageHeader', 7: 'DictionaryPageHeader', 8: 'DataPageHeaderV2' },
  DictionaryPageHeader: { 3: 'bool' },
  DataPageHeaderV2: { 7: 'bool' },
};

/** Deeper than any file of the format goes. */
const DEEPEST = 24;

/**
 * Checks that a struct has its fields, each once and of its type, before it is read.
 *
 * @param start - where it begins
 * @throws Error that says what is wrong
 */
export function checkParquetStruct(bytes: Uint8Array, name: StructName, start = 0): void {
  let at = start;
  const byte = (): number => {
    if (at >= bytes.length) throw new Error('metadata that ends too early');
    return bytes[at++]!;
  };
  const varint = (): number => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const next = byte();
      value += (next & 0x7f) * shift;
      if (next < 0x80) return value;
      if (shift > 2 ** 63) throw new Error('a number of more than 64 bits');
    }
  };
  const take = (count: number): Uint8Array => {
    if (count > bytes.length - at) throw new Error('metadata that ends too early');
    return bytes.subarray(at, (at += count));
  };
  const list = (kind: FieldKind | undefined, depth: number): void => {
    const head = byte();
    const count = head >> 4 === 15 ? varint() : head >> 4;
    const type = head & 15;
    const inner = Array.isArray(kind) ? (kind[0] as FieldKind) : undefined;
    if (count > 0 && inner !== undefined && !isType(type, inner)) throw new Error('a list of another type');
    for (let i = 0; i < count; i++) item(type, inner, depth);
  };
  /** Booleans in lists and maps take a byte, those in structs none. */
  const item = (type: number, kind: FieldKind | undefined, depth: number): void => {
    if (type === TRUE || type === FALSE) byte();
    else value(type, kind, depth);
  };
  const value = (type: number, kind: FieldKind | undefined, depth: number): void => {
    if (depth > DEEPEST) throw new Error('metadata that nests deeper than the format');
    if (type === BYTE) byte();
    else if (type === I16 || type === I32 || type === I64) varint();
    else if (type === DOUBLE) take(8);
    else if (type === BINARY) {
      const text = take(varint());
      if (kind === 'text' && utf8Text(text) === undefined) throw new Error('a name that is not UTF-8');
    } else if (type === LIST || type === SET) list(kind, depth + 1);
    else if (type === MAP) map(depth + 1);
    else if (type === STRUCT) struct(structOf(kind), depth + 1);
    else if (type !== TRUE && type !== FALSE) throw new Error('metadata of no known type');
  };
  const map = (depth: number): void => {
    const count = varint();
    const types = count === 0 ? 0 : byte();
    for (let i = 0; i < count; i++) {
      item(types >> 4, undefined, depth);
      item(types & 15, undefined, depth);
    }
  };
  const struct = (name: StructName | undefined, depth: number): void => {
    const needed: Readonly<Record<number, FieldKind>> = name === undefined ? {} : required[name];
    const kinds: Readonly<Record<number, FieldKind>> = name === undefined ? {} : { ...needed, ...optional[name] };
    const seen = new Set<number>();
    for (let id = 0, head = byte(); head !== 0; head = byte()) {
      const raw = head >> 4 === 0 ? varint() : undefined;
      id = raw === undefined ? id + (head >> 4) : raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2;
      if (seen.has(id)) throw new Error(`field ${id} of ${name ?? 'the metadata'} stands there twice`);
      seen.add(id);
      const kind = kinds[id];
      const type = head & 15;
      if (kind !== undefined && !isType(type, kind)) throw new Error(`field ${id} of ${name!} is of another type`);
      value(type, kind, depth);
    }
    for (const id of Object.keys(needed)) {
      if (!seen.has(Number(id))) throw new Error(`field ${id} of ${name!} is missing`);
    }
  };
  struct(name, 0);
}

function isType(type: number, kind: FieldKind): boolean {
  if (kind === 'bool') return type === TRUE || type === FALSE;
  if (kind === 'i32') return type === I32;
  if (kind === 'i64') return type === I64;
  if (kind === 'text') return type === BINARY;
  return type === (typeof kind === 'object' || kind === 'any list' ? LIST : STRUCT);
}

function structOf(kind: FieldKind | undefined): StructName | undefined {
  return typeof kind === 'string' && kind in required ? (kind as StructName) : undefined;
}
