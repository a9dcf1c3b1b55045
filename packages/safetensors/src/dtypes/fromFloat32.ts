import { checkValue, halfBits, problem } from '@dropbp/basics';
import { bytesOf } from './bytesOf.ts';

/** The dtypes that {@link fromFloat32} writes. */
export type NarrowDtype = 'F32' | 'F16' | 'BF16';

/**
 * F32 values as a tensor's bytes. F16 and BF16 are rounded to the nearest value, halves to the even one, as IEEE 754,
 * numpy and PyTorch do; what is too large becomes infinite, NaN stays NaN. The caller owns the bytes.
 *
 * @throws Problem for any other dtype, or values of another kind
 */
export function fromFloat32(dtype: NarrowDtype, values: Float32Array): Uint8Array<ArrayBuffer> {
  const fix = 'Float32Array.from(values) makes one';
  checkValue('safetensors', 'fromFloat32(): values', values, isFloat32, 'a Float32Array', fix);
  switch (dtype) {
    case 'F32':
      return bytesOf(values.slice());
    case 'F16':
      return narrow(values, halfBits);
    case 'BF16':
      return narrow(values, bfloat16Bits);
    default:
      throw problem('safetensors', {
        what: 'fromFloat32() does not write this dtype',
        got: dtype,
        expected: 'F32, F16 or BF16',
      });
  }
}

function isFloat32(values: unknown): boolean {
  return values instanceof Float32Array;
}

function narrow(values: Float32Array, round: (bits: number) => number): Uint8Array<ArrayBuffer> {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const result = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) result[i] = round(bits[i]!);
  return bytesOf(result);
}

function bfloat16Bits(bits: number): number {
  const high = bits >>> 16;
  // A NaN whose payload lies in the lower half alone would become an infinity.
  if ((bits & 0x7fffffff) > 0x7f800000) return (high & 0x7f) === 0 ? high | 0x40 : high;
  return (bits + 0x7fff + (high & 1)) >>> 16;
}
