import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareUtf8, encodeHeader } from './encodeHeader.ts';

describe('compareUtf8', () => {
  it('orders as the bytes of UTF-8 do', () => {
    const text = fc.string({ unit: 'binary', maxLength: 4 });
    fc.assert(
      fc.property(text, text, (x, y) => {
        expect(Math.sign(compareUtf8(x, y))).toBe(Buffer.compare(Buffer.from(x), Buffer.from(y)));
      }),
      { numRuns: 1000 },
    );
    expect(compareUtf8('\uffff', '😀')).toBeLessThan(0); // in UTF-16 units the other way round
  });
});

describe('encodeHeader', () => {
  const encode = (tensor: unknown, name = 'a') =>
    encodeHeader(new Map([[name, tensor as { dtype: 'F32'; shape: number[] }]]));

  it('puts wide dtypes first, then names, and metadata before all', () => {
    const { bytes, tensors, fileBytes } = encodeHeader(
      new Map([
        ['b', { dtype: 'U8' as const, shape: [3] }],
        ['a', { dtype: 'U8' as const, shape: [] }],
        ['z', { dtype: 'I64' as const, shape: [1] }],
      ]),
      { b: '1', a: '"' },
    );
    expect(new TextDecoder().decode(bytes.subarray(8)).trimEnd()).toBe(
      '{"__metadata__":{"a":"\\"","b":"1"},' +
        '"z":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},' +
        '"a":{"dtype":"U8","shape":[],"data_offsets":[8,9]},' +
        '"b":{"dtype":"U8","shape":[3],"data_offsets":[9,12]}}',
    );
    expect([...tensors.keys()]).toEqual(['z', 'a', 'b']);
    expect(tensors.get('b')).toEqual({ dtype: 'U8', shape: [3], offsetBytes: bytes.length + 9, sizeBytes: 3 });
    expect(fileBytes).toBe(bytes.length + 12);
  });

  it('has offsets beyond 4 GiB', () => {
    const { tensors, fileBytes } = encodeHeader(
      new Map([
        ['a', { dtype: 'F32' as const, shape: [2 ** 31] }],
        ['b', { dtype: 'F32' as const, shape: [2 ** 40] }],
        ['c', { dtype: 'U8' as const, shape: [1] }],
      ]),
    );
    const start = tensors.get('a')!.offsetBytes;
    expect(tensors.get('c')!.offsetBytes - start).toBe(2 ** 33 + 2 ** 42);
    expect(fileBytes).toBe(start + 2 ** 33 + 2 ** 42 + 1);
  });

  it('refuses what no reader would accept', () => {
    expect(() => encode({ dtype: 'f32', shape: [1] })).toThrow(
      'tensor "a" has a dtype that the format does not know; got "f32"',
    );
    expect(() => encode({ dtype: 'f32', shape: [1] })).toThrow("did you mean 'F32'?");
    for (const shape of [[-1], [1.5], [NaN], ['1'], 3, undefined, [2 ** 60]]) {
      expect(() => encode({ dtype: 'F32', shape })).toThrow('tensor "a" has an unusable shape');
    }
    expect(() => encode({ dtype: 'F4', shape: [3] })).toThrow('ends inside a byte');
    expect(() => encode({ dtype: 'U8', shape: [2 ** 50, 2 ** 50] })).toThrow('is too large to address');
    expect(() => encode({ dtype: 'U8', shape: [] }, '__metadata__')).toThrow('no tensor can be called "__metadata__"');
    expect(() => encode({ dtype: 'U8', shape: [] }, '\ud800')).toThrow('holds half of a surrogate pair');
    expect(() => encodeHeader(new Map(), { a: '\udc00' })).toThrow('metadata "a" holds half of a surrogate pair');
    expect(() => encodeHeader(new Map(), { step: 3 as unknown as string })).toThrow(
      'metadata "step" is not a string; got 3; use String().',
    );
    expect(() => encode({ dtype: 'U8', shape: [] }, 'n'.repeat(100_000_000))).toThrow(
      'the header would be too long for any reader',
    );
  });
});
