import { problem } from '@dropbp/basics';

const single = new Float32Array(1);
const bits = new Uint32Array(single.buffer);

/**
 * Numbers as bits of IEEE half precision, rounded to the nearest, ties to even.
 *
 * @throws Problem for a number that half precision has no room for
 */
export function halfBits(values: Float32Array): Uint16Array {
  const half = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    single[0] = values[i]!;
    half[i] = halfOf(bits[0]!);
    if ((half[i]! & 0x7c00) === 0x7c00) throw tooLarge(values[i]!);
  }
  return half;
}

function halfOf(word: number): number {
  const sign = (word >>> 16) & 0x8000;
  const exponent = ((word >>> 23) & 0xff) - 112;
  const mantissa = word & 0x7fffff;
  if (exponent >= 31) return sign | 0x7c00;
  if (exponent <= 0) {
    if (exponent < -10) return sign;
    // Subnormal: the implied one becomes part of the mantissa.
    return sign | rounded(mantissa | 0x800000, 14 - exponent);
  }
  // A mantissa that rounds up to the next power carries into the exponent, as it should.
  return sign | ((exponent << 10) + rounded(mantissa, 13));
}

/** `value >> shift`, to the nearest, ties to even. */
function rounded(value: number, shift: number): number {
  const kept = value >>> shift;
  const rest = value & ((1 << shift) - 1);
  const middle = 1 << (shift - 1);
  return rest > middle || (rest === middle && (kept & 1) === 1) ? kept + 1 : kept;
}

function tooLarge(value: number): Error {
  return problem('tfjs-backend-ort', {
    what: 'a weight is too large for f16, or not finite',
    got: value,
    expected: 'at most 65504',
    fix: 'keep it in f32, or look for NaN in the checkpoint',
  });
}
