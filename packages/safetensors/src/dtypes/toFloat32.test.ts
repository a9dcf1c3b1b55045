import { describe, expect, it } from 'vitest';
import { bytesOf, dtypes, toFloat32, type Dtype } from '../index.ts';

/** The value of an F16 by the standard's formula. */
function half(code: number): number {
  const sign = code & 0x8000 ? -1 : 1;
  const exponent = (code >> 10) & 31;
  const mantissa = code & 1023;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? mantissa * 2 ** -24 : (1024 + mantissa) * 2 ** (exponent - 25));
}

const codes = Uint16Array.from({ length: 65536 }, (_, i) => i);

describe('toFloat32', () => {
  it('widens every F16', () => {
    expect(Array.from(toFloat32('F16', bytesOf(codes)))).toEqual(Array.from(codes, half));
  });

  it('widens every BF16: the upper half of an F32', () => {
    const bits = new Uint32Array(toFloat32('BF16', bytesOf(codes)).buffer);
    expect(Array.from(bits)).toEqual(Array.from(codes, code => code * 65536));
  });

  it('keeps the payload and sign of a NaN', () => {
    const bits = (dtype: Dtype, ...bytes: number[]) =>
      new Uint32Array(toFloat32(dtype, new Uint8Array(bytes)).buffer)[0];
    expect(bits('F16', 0x01, 0xfc)).toBe(0xff802000);
    expect(bits('BF16', 0x81, 0xff)).toBe(0xff810000);
    expect(bits('F8_E5M2', 0x7d)).toBe(0x7fa00000);
    expect(bits('F8_E4M3', 0xff)).toBe(0xffc00000);
  });

  it('widens integers that F32 holds', () => {
    expect(Array.from(toFloat32('BOOL', new Uint8Array([0, 1])))).toEqual([0, 1]);
    expect(Array.from(toFloat32('U8', new Uint8Array([255])))).toEqual([255]);
    expect(Array.from(toFloat32('I8', new Uint8Array([255])))).toEqual([-1]);
    expect(Array.from(toFloat32('I16', new Uint8Array([0, 128])))).toEqual([-32768]);
    expect(Array.from(toFloat32('U16', new Uint8Array([0, 128])))).toEqual([32768]);
  });

  it('shares memory for F32 where it can, and copies where it must', () => {
    const buffer = new Uint8Array(16);
    new DataView(buffer.buffer).setFloat32(5, 1.5, true);
    new DataView(buffer.buffer).setFloat32(12, 2.5, true);
    const unaligned = toFloat32('F32', buffer.subarray(5, 9));
    const aligned = toFloat32('F32', buffer.subarray(12));
    expect([unaligned[0], aligned[0]]).toEqual([1.5, 2.5]);
    expect(unaligned.buffer).not.toBe(buffer.buffer);
    expect(aligned.buffer).toBe(buffer.buffer);
  });

  it('reads 16-bit values at an odd offset', () => {
    const bytes = new Uint8Array([0, 0x80, 0x3f, 0x00, 0xc0]).subarray(1);
    expect(Array.from(toFloat32('BF16', bytes))).toEqual([1, -2]);
  });

  it('refuses by name what it does not widen, and knows every dtype', () => {
    const refused = dtypes.filter(dtype => {
      try {
        return toFloat32(dtype, new Uint8Array(8)).length === 0;
      } catch (error) {
        return String(error).includes(`${dtype} `);
      }
    });
    expect(refused).toEqual(['F4', 'F6_E2M3', 'F6_E3M2', 'I32', 'U32', 'C64', 'F64', 'I64', 'U64']);
    expect(() => toFloat32('F64', new Uint8Array(8))).toThrow(
      "F64 does not fit F32 exactly; read it with typedView('F64', bytes)",
    );
    expect(() => toFloat32('float32' as Dtype, new Uint8Array(8))).toThrow(
      'toFloat32() has a dtype that the format does not know',
    );
    expect(() => toFloat32('F16', new Uint8Array(3))).toThrow(
      'not whole elements of F16; got 3; expected a multiple of 2',
    );
  });
});
