import type { Dequantize } from './ggmlTypes.ts';
import { halfBits, halfFloats } from './halfFloat.ts';

/**
 * The types of 256 weights a block (llama.cpp's k-quants), in sub-blocks that have scales of their own, which are integers
 * too. All products have at most 24 bits and are exact in float32, so that rounding once, when the weight is stored, gives
 * what llama.cpp gives.
 */
export const blocksOf256: Readonly<Record<'Q4_K' | 'Q5_K' | 'Q6_K', Dequantize>> = {
  /** F16 d and dmin, 12 bytes of scales and minima, then 4 bits a weight: d·scale·q - dmin·minimum, 32 weights at a time. */
  Q4_K(blocks, values) {
    for (let at = 0, to = 0; to < values.length; at += 144, to += 256) {
      for (let part = 0; part < 8; part++) {
        const { scale, minimum } = scalesOf(blocks, at, part);
        const from = at + 16 + 32 * (part >> 1);
        const shift = 4 * (part & 1);
        for (let i = 0; i < 32; i++) values[to + 32 * part + i] = scale * ((blocks[from + i]! >> shift) & 15) - minimum;
      }
    }
  },

  /** As Q4_K, with a fifth bit for each weight: bit `part` of byte `i`. */
  Q5_K(blocks, values) {
    for (let at = 0, to = 0; to < values.length; at += 176, to += 256) {
      for (let part = 0; part < 8; part++) {
        const { scale, minimum } = scalesOf(blocks, at, part);
        const from = at + 48 + 32 * (part >> 1);
        const shift = 4 * (part & 1);
        for (let i = 0; i < 32; i++) {
          const high = ((blocks[at + 16 + i]! >> part) & 1) << 4;
          values[to + 32 * part + i] = scale * (((blocks[from + i]! >> shift) & 15) | high) - minimum;
        }
      }
    }
  },

  /** 4 low and 2 high bits a weight, a signed byte of a scale for 16 weights, F16 d: d·scale·(q - 32). */
  Q6_K(blocks, values) {
    const half = halfFloats();
    for (let at = 0, to = 0; to < values.length; at += 210, to += 256) {
      const d = half[halfBits(blocks, at + 208)]!;
      for (let i = 0; i < 256; i++) {
        // 128 weights share 64 bytes of low bits and 32 of high ones: 32 weights in each pair of bits.
        const [part, quarter, within] = [i >> 7, (i >> 5) & 3, i & 31];
        const low = (blocks[at + 64 * part + 32 * (quarter & 1) + within]! >> (4 * (quarter >> 1))) & 15;
        const high = (blocks[at + 128 + 32 * part + within]! >> (2 * quarter)) & 3;
        const scale = (blocks[at + 192 + (i >> 4)]! << 24) >> 24;
        values[to + i] = d * scale * ((low | (high << 4)) - 32);
      }
    }
  },
};

/** The scale and minimum of a sub-block: 6 bits each. The first four have their bits together, the others in two places. */
function scalesOf(blocks: Uint8Array, at: number, part: number): { scale: number; minimum: number } {
  const half = halfFloats();
  const d = half[halfBits(blocks, at)]!;
  const dmin = half[halfBits(blocks, at + 2)]!;
  const packedByte = (i: number): number => blocks[at + 4 + i]!;
  if (part < 4) return { scale: d * (packedByte(part) & 63), minimum: dmin * (packedByte(part + 4) & 63) };
  return {
    scale: d * ((packedByte(part + 4) & 15) | ((packedByte(part - 4) >> 6) << 4)),
    minimum: dmin * ((packedByte(part + 4) >> 4) | ((packedByte(part) >> 6) << 4)),
  };
}
