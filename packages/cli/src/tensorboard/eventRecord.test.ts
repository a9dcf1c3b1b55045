import { describe, expect, it } from 'vitest';
import { crc32c } from './crc32c.ts';
import { restartRecord, scalarsRecord, textRecord, versionRecord } from './eventRecord.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const event = { wallTime: 1700000000.5, step: 300 };

// What the RecordWriter of TensorBoard 2.21 writes of the same messages.
describe('records', () => {
  it.each([
    ['the version', versionRecord(event), '1800000000000000a37f4b220900002040fc54d9411a0d627261696e2e4576656e743a322b353110'],
    ['a restart', restartRecord(event), '100000000000000095fbfe180900002040fc54d94110ac023a020801b94512a3'],
    ['scalars', scalarsRecord(event, { 'train/loss': 2.5, x: -1 }), '2b00000000000000861bc34b0900002040fc54d94110ac022a1d0a110a0a747261696e2f6c6f737315000020400a080a017815000080bf302a5f8b'],
    ['a text', textRecord(event, 'sample', 'Ü'), '2c00000000000000f4aecc450900002040fc54d94110ac022a1e0a1c0a0673616d706c654208080712004202c39c4a080a060a04746578740515c9e5'],
  ])('%s', (_what, record, expected) => {
    expect(hex(record)).toBe(expected);
  }); // prettier-ignore
});

describe('their parts', () => {
  it('have the checksum of the standard', () => {
    expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(0))).toBe(0);
  });
});
