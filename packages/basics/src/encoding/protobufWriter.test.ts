import { describe, expect, it } from 'vitest';
import { ProtobufWriter } from './protobufWriter.ts';

const bytes = (writer: ProtobufWriter): number[] => [...writer.finish()];

describe('ProtobufWriter', () => {
  it('writes whole numbers in groups of seven bits', () => {
    expect(bytes(new ProtobufWriter().int(1, 150))).toEqual([0x08, 0x96, 0x01]);
    expect(bytes(new ProtobufWriter().int(1, 0))).toEqual([0x08, 0x00]);
  });
  it('writes numbers beyond 32 bits', () => {
    expect(bytes(new ProtobufWriter().int(2, 2 ** 40))).toEqual([0x10, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20]);
    expect(bytes(new ProtobufWriter().double(1, 1))).toEqual([0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
  });
  it('writes negative numbers as ten bytes', () => {
    expect(bytes(new ProtobufWriter().int(2, -1))).toEqual([0x10, ...Array.from({ length: 9 }, () => 0xff), 0x01]);
  });
  it('writes fields above 15 with a tag of two bytes', () => {
    expect(bytes(new ProtobufWriter().int(20, 1))).toEqual([0xa0, 0x01, 0x01]);
  });
  it('writes strings, floats and messages', () => {
    expect(bytes(new ProtobufWriter().string(2, 'testing'))).toEqual([
      0x12, 7, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67,
    ]);
    expect(bytes(new ProtobufWriter().float(1, 1))).toEqual([0x0d, 0, 0, 0x80, 0x3f]);
    expect(bytes(new ProtobufWriter().message(3, new ProtobufWriter().int(1, 150)))).toEqual([
      0x1a, 3, 0x08, 0x96, 0x01,
    ]);
  });
});
