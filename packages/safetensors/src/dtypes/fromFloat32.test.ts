import { describe, expect, it } from 'vitest';
import { bytesOf, fromFloat32, toFloat32, typedView, type NarrowDtype } from '../index.ts';

const codes = Uint16Array.from({ length: 65536 }, (_, i) => i);
const half = (...values: number[]) => Array.from(typedView('F16', fromFloat32('F16', new Float32Array(values))));
const brain = (...values: number[]) => Array.from(typedView('BF16', fromFloat32('BF16', new Float32Array(values))));

describe('fromFloat32', () => {
  it.each(['F16', 'BF16'] as const)('gives back every %s, NaN payloads too', dtype => {
    expect(typedView(dtype, fromFloat32(dtype, toFloat32(dtype, bytesOf(codes))))).toEqual(codes);
  });

  it.each(['F16', 'BF16'] as const)('rounds to the nearest %s, halves to the even one', dtype => {
    // Every pair of neighbours of one sign, below infinity.
    const values = toFloat32(dtype, bytesOf(codes));
    const infinity = dtype === 'F16' ? 0x7c00 : 0x7f80;
    const [below, middle, above] = [
      new Float32Array(infinity - 1),
      new Float32Array(infinity - 1),
      new Float32Array(infinity - 1),
    ];
    const bits = [below, middle, above].map(array => new Uint32Array(array.buffer));
    for (let code = 0; code < infinity - 1; code++) {
      middle[code] = (values[code]! + values[code + 1]!) / 2;
      bits[0]![code] = bits[1]![code]! - 1;
      bits[2]![code] = bits[1]![code]! + 1;
    }
    const narrow = (array: Float32Array) => Array.from(typedView(dtype, fromFloat32(dtype, array)));
    const lower = Array.from(codes.subarray(0, infinity - 1));
    expect(narrow(middle)).toEqual(lower.map(code => code + (code & 1)));
    expect(narrow(above)).toEqual(lower.map(code => code + 1));
    expect(narrow(below)).toEqual(lower);
    expect(narrow(middle.map(x => -x))).toEqual(lower.map(code => 0x8000 + code + (code & 1)));
  });

  it('goes to infinity above the largest value, from halfway on', () => {
    expect(half(65504, 65519.996, 65520, 1e30, -65520)).toEqual([0x7bff, 0x7bff, 0x7c00, 0x7c00, 0xfc00]);
    expect(brain(3.3895313892515355e38, 3.4028234663852886e38, -Infinity)).toEqual([0x7f7f, 0x7f80, 0xff80]);
  });

  it('keeps NaN a NaN, also where its payload is in the bits that are lost', () => {
    const quiet = new Float32Array(new Uint32Array([0x7f800001, 0xff800001, 0x7fc00000]).buffer);
    expect(Array.from(typedView('F16', fromFloat32('F16', quiet)))).toEqual([0x7e00, 0xfe00, 0x7e00]);
    expect(Array.from(typedView('BF16', fromFloat32('BF16', quiet)))).toEqual([0x7fc0, 0xffc0, 0x7fc0]);
  });

  it('copies F32', () => {
    const values = new Float32Array([1, NaN, -0]).subarray(1);
    const bytes = fromFloat32('F32', values);
    expect(Array.from(typedView('F32', bytes))).toEqual([NaN, -0]);
    expect(bytes.buffer).not.toBe(values.buffer);
  });

  it('refuses any other dtype', () => {
    expect(() => fromFloat32('F8_E4M3' as NarrowDtype, new Float32Array(1))).toThrow(
      'fromFloat32() does not write this dtype; got "F8_E4M3"; expected F32, F16 or BF16',
    );
  });
});
