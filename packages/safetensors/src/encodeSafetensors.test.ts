import { describe, expect, it } from 'vitest';
import { bytesOf, encodeSafetensors, type TensorData } from './index.ts';

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

  it('refuses an option that it does not know', () => {
    expect(() => encodeSafetensors({}, { metaData: {} } as object)).toThrow("did you mean 'metadata'?");
  });

  it('writes no metadata where there is none', () => {
    expect(encodeSafetensors({}, { metadata: {} })).toEqual(encodeSafetensors({}));
  });
});
