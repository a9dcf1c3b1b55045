import { halfBits, problem } from '@dropbp/basics';

/**
 * Numbers as bits of IEEE half precision, rounded to the nearest, ties to even.
 *
 * @throws Problem for a number that half precision has no room for
 */
export function toHalf(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const half = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    half[i] = halfBits(bits[i]!);
    if ((half[i]! & 0x7c00) === 0x7c00) throw tooLarge(values[i]!);
  }
  return half;
}

function tooLarge(value: number): Error {
  return problem('tfjs-backend-ort', {
    what: 'a weight is too large for f16, or not finite',
    got: value,
    expected: 'at most 65504',
    fix: 'keep it in f32, or look for NaN in the checkpoint',
  });
}
