import { expect, it } from 'vitest';
import { lz4Size, snappySize } from './parquetSizes.ts';
import { checkParquetStruct } from './parquetThrift.ts';

it('tells what a block of Snappy unpacks to', () => {
  expect(snappySize(Uint8Array.of(5, 16))).toBe(5);
  expect(snappySize(Uint8Array.of(0x80, 0x01, 0))).toBe(128);
});

it('tells what a block of LZ4 unpacks to', () => {
  // Three literals, a copy of 4 + 15 + 3 of them, and two literals.
  expect(lz4Size(Uint8Array.of(0x3f, 1, 2, 3, 3, 0, 3, 0x20, 4, 5))).toBe(3 + 22 + 2);
  expect(lz4Size(Uint8Array.of(0xf0, 255, 1, ...new Uint8Array(271)))).toBe(271);
});

it('refuses a note of a file without its key, as other readers do', () => {
  // Version 2, an empty schema, no rows, no groups, and a note with a value alone or with a key.
  const withNote = (...note: number[]): Uint8Array => Uint8Array.of(0x15, 4, 0x19, 0x0c, 0x16, 0, 0x19, 0x0c, 0x19, 0x1c, ...note, 0, 0); // prettier-ignore
  expect(() => checkParquetStruct(withNote(0x28, 1, 97), 'FileMetaData')).toThrow('field 1 of KeyValue is missing');
  expect(() => checkParquetStruct(withNote(0x18, 1, 97), 'FileMetaData')).not.toThrow();
});
