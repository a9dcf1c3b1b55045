import { describe, expect, it } from 'vitest';
import { bytesOf, decodeSafetensors, encodeSafetensors, fromFloat32, type TensorData } from '../index.ts';

describe('encodeSafetensors', () => {
  it('refuses data that does not fit the shape', () => {
    const encode = (data: unknown) => () => encodeSafetensors({ w: { dtype: 'F32', shape: [2], data } as TensorData });
    expect(encode(new Uint8Array(7))).toThrow(
      'the data of tensor "w" has another size than its shape says; got 7; expected 8 bytes.',
    );
    // The right size, but it might as well be an Int32Array: bytes say that the caller has thought of it.
    expect(encode(new Float32Array(2))).toThrow(
      'the data of tensor "w" is not a Uint8Array; got "[object Float32Array]"; bytesOf(',
    );
    expect(encode(undefined)).toThrow('is not a Uint8Array');
    expect(encode(bytesOf(new Float32Array(2)))).not.toThrow();
  });

  it('refuses what holds no tensors', () => {
    for (const tensors of [undefined, null, [], 'w'] as unknown[]) {
      expect(() => encodeSafetensors(tensors as Record<string, TensorData>)).toThrow(
        /^\[@dropbp\/safetensors\] the tensors is not usable; got .+; expected a Map or an object of tensors by name/,
      );
    }
    expect(() => encodeSafetensors({ w: null as unknown as TensorData })).toThrow('tensor "w" is none; got null');
  });

  it('takes no list of numbers, nor other arrays, for bytes or float32', () => {
    const list = [1, 2] as unknown as Float32Array;
    expect(() => bytesOf(list)).toThrow('bytesOf(): the array is not usable; got [1,2]; expected a typed array');
    for (const dtype of ['F32', 'F16', 'BF16'] as const) {
      expect(() => fromFloat32(dtype, list)).toThrow(
        'fromFloat32(): values is not usable; got [1,2]; expected a Float32',
      );
      expect(() => fromFloat32(dtype, new Float64Array(2) as unknown as Float32Array)).toThrow('values is not usable');
    }
    expect(() => decodeSafetensors(new ArrayBuffer(9) as unknown as Uint8Array)).toThrow(
      'decodeSafetensors(): the bytes is not usable; got {}; expected a Uint8Array; new Uint8Array(buffer) makes one',
    );
  });

  it('refuses an option that it does not know', () => {
    expect(() => encodeSafetensors({}, { metaData: {} } as object)).toThrow("did you mean 'metadata'?");
  });

  it('writes no metadata where there is none', () => {
    expect(encodeSafetensors({}, { metadata: {} })).toEqual(encodeSafetensors({}));
  });
});
