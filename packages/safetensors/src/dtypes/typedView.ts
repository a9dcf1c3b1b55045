import { problem } from '@dropbp/basics';
import { checkDtype, dtypeArray, type Dtype, type TypedArrays } from './dtypes.ts';

/**
 * A tensor's bytes as the typed array of its dtype: F32 as a Float32Array, I64 as a BigInt64Array, F16 and BF16 as
 * their bits in a Uint16Array, C64 as pairs in a Float32Array, F8, F6 and F4 as their bytes.
 *
 * Shares memory with `bytes` where they begin at a multiple of the element's size, and copies them otherwise.
 *
 * @throws Problem if the bytes are not whole elements
 */
export function typedView<D extends Dtype>(dtype: D, bytes: Uint8Array): TypedArrays[D] {
  checkDtype(dtype, 'typedView()');
  const ArrayType = dtypeArray(dtype);
  const elementBytes = ArrayType.BYTES_PER_ELEMENT;
  if (bytes.length % elementBytes !== 0) {
    throw problem('safetensors', {
      what: `these bytes are not whole elements of ${dtype}`,
      got: bytes.length,
      expected: `a multiple of ${elementBytes}`,
    });
  }
  const aligned = bytes.byteOffset % elementBytes === 0 ? bytes : new Uint8Array(bytes);
  return new ArrayType(
    aligned.buffer as ArrayBuffer,
    aligned.byteOffset,
    aligned.length / elementBytes,
  ) as TypedArrays[D];
}
