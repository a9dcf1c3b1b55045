import { fromFloat32, toFloat32 } from '@dropbp/safetensors';
import { withHalves, type EncodeBlocks } from './encodeBlocks.ts';

const PARTS = 8;
const PART = 32;
const BLOCK_BYTES = 144;
/** Scales that are tried for each part, around the one that its extremes give. */
const TRIES = 20;

/**
 * 256 weights in 8 parts: a weight is d·scale·q - dmin·minimum, with 4 bits for q, 6 for a part's scale and minimum, and F16 for d
 * and dmin. Scale and minimum are fitted by weighted least squares; large weights count more.
 *
 * Source: `quantize_row_q4_K_ref` and `make_qkx2_quants` of ggml.
 */
export const encodeQ4K: EncodeBlocks = values => {
  const count = values.length / (PARTS * PART);
  const blocks = new Uint8Array(BLOCK_BYTES * count);
  const largestScales = new Float32Array(count);
  const largestMinima = new Float32Array(count);
  for (let block = 0; block < count; block++) {
    const at = BLOCK_BYTES * block;
    const parts = Array.from({ length: PARTS }, (_, part) => {
      const from = PART * (PARTS * block + part);
      return values.subarray(from, from + PART);
    });
    const fits = parts.map(fitPart);
    const [scale, minimum] = [Math.max(...fits.map(f => f.scale)), Math.max(...fits.map(f => f.minimum))];
    largestScales[block] = scale / 63;
    largestMinima[block] = minimum / 63;
    const scales = fits.map(f => (scale > 0 ? Math.min(63, roundEven((63 / scale) * f.scale)) : 0));
    const minima = fits.map(f => (minimum > 0 ? Math.min(63, roundEven((63 / minimum) * f.minimum)) : 0));
    packScales(blocks, at + 4, scales, minima);
    const [d, dmin] = [halfOf(largestScales[block]!), halfOf(largestMinima[block]!)];
    parts.forEach((part, j) => {
      const [step, low] = [Math.fround(d * scales[j]!), Math.fround(dmin * minima[j]!)];
      if (step === 0) return;
      for (let i = 0; i < PART; i++) {
        const code = Math.max(0, Math.min(15, roundEven((part[i]! + low) / step)));
        blocks[at + 16 + PART * (j >> 1) + i]! |= code << (4 * (j & 1));
      }
    });
  }
  return withHalves(withHalves(blocks, BLOCK_BYTES, 0, largestScales), BLOCK_BYTES, 2, largestMinima);
};

interface Fit {
  /** ≥ 0. */
  readonly scale: number;
  /** What is subtracted, ≥ 0. */
  readonly minimum: number;
}

function fitPart(x: Float32Array): Fit {
  let [low, high, squares] = [0, x[0]!, 0];
  for (const value of x) {
    low = Math.min(low, value);
    high = Math.max(high, value);
    squares += value * value;
  }
  if (high === low) return { scale: 0, minimum: -low };
  const level = Math.sqrt(squares / PART);
  const weights = x.map(value => level + Math.abs(value));
  let [sumW, sumX] = [0, 0];
  for (let i = 0; i < PART; i++) {
    sumW += weights[i]!;
    sumX += weights[i]! * x[i]!;
  }
  const codes = new Uint8Array(PART);
  const encode = (inverse: number): void => {
    for (let i = 0; i < PART; i++) codes[i] = Math.max(0, Math.min(15, roundEven(inverse * (x[i]! - low))));
  };
  const errorOf = (scale: number, minimum: number): number => {
    let error = 0;
    for (let i = 0; i < PART; i++) error += weights[i]! * (scale * codes[i]! + minimum - x[i]!) ** 2;
    return error;
  };
  encode(15 / (high - low));
  let best = { scale: (high - low) / 15, minimum: low, error: errorOf((high - low) / 15, low) };
  for (let attempt = 0; attempt <= TRIES; attempt++) {
    encode((15 - 1 + 0.1 * attempt) / (high - low));
    let [sumL, sumLL, sumXL] = [0, 0, 0];
    for (let i = 0; i < PART; i++) {
      const weighted = weights[i]! * codes[i]!;
      sumL += weighted;
      sumLL += weighted * codes[i]!;
      sumXL += weighted * x[i]!;
    }
    const determinant = sumW * sumLL - sumL * sumL;
    if (determinant <= 0) continue;
    let scale = (sumW * sumXL - sumX * sumL) / determinant;
    let minimum = (sumLL * sumX - sumL * sumXL) / determinant;
    if (minimum > 0) [scale, minimum] = [sumXL / sumLL, 0];
    const error = errorOf(scale, minimum);
    if (error < best.error) best = { scale, minimum, error };
  }
  return { scale: best.scale, minimum: -best.minimum };
}

/** 6 bits each in 12 bytes: of the first four together, of the others in two places. */
function packScales(blocks: Uint8Array, at: number, scales: readonly number[], minima: readonly number[]): void {
  for (let part = 0; part < PARTS; part++) {
    const [scale, minimum] = [scales[part]!, minima[part]!];
    if (part < 4) {
      blocks[at + part]! |= scale;
      blocks[at + part + 4]! |= minimum;
    } else {
      blocks[at + part + 4] = (scale & 15) | ((minimum & 15) << 4);
      blocks[at + part - 4]! |= (scale >> 4) << 6;
      blocks[at + part]! |= (minimum >> 4) << 6;
    }
  }
}

function halfOf(value: number): number {
  return toFloat32('F16', fromFloat32('F16', Float32Array.of(value)))[0]!;
}

/** The nearest integer, of two the even one. */
function roundEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
