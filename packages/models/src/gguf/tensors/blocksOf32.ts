import type { Dequantize } from './ggmlTypes.ts';
import { halfBits, halfFloats } from './halfFloat.ts';

/**
 * The types of 32 weights a block: an F16 scale d, for the `_1` types an F16 minimum m, and an integer q for each weight.
 * A weight is d·q, or d·q + m. d·q has at most 19 bits and is exact in float32, so that rounding once, when the weight is
 * stored, gives what llama.cpp gives.
 */
export const blocksOf32: Readonly<Record<'Q8_0' | 'Q4_0' | 'Q4_1' | 'Q5_0' | 'Q5_1', Dequantize>> = {
  /** d, then 32 signed bytes. */
  Q8_0(blocks, values) {
    const half = halfFloats();
    for (let at = 0, to = 0; to < values.length; at += 34, to += 32) {
      const d = half[halfBits(blocks, at)]!;
      for (let i = 0; i < 32; i++) values[to + i] = d * ((blocks[at + 2 + i]! << 24) >> 24);
    }
  },

  /** d, then 16 bytes: the low halves are the first 16 weights, the high halves the others; 8 stands for 0. */
  Q4_0(blocks, values) {
    const half = halfFloats();
    for (let at = 0, to = 0; to < values.length; at += 18, to += 32) {
      const d = half[halfBits(blocks, at)]!;
      for (let i = 0; i < 16; i++) {
        const pair = blocks[at + 2 + i]!;
        values[to + i] = d * ((pair & 15) - 8);
        values[to + 16 + i] = d * ((pair >> 4) - 8);
      }
    }
  },

  /** d and m, then 16 bytes as in Q4_0, from 0 on. */
  Q4_1(blocks, values) {
    const half = halfFloats();
    for (let at = 0, to = 0; to < values.length; at += 20, to += 32) {
      const d = half[halfBits(blocks, at)]!;
      const m = half[halfBits(blocks, at + 2)]!;
      for (let i = 0; i < 16; i++) {
        const pair = blocks[at + 4 + i]!;
        values[to + i] = d * (pair & 15) + m;
        values[to + 16 + i] = d * (pair >> 4) + m;
      }
    }
  },

  /** d, 32 bits that are the fifth ones, then 16 bytes as in Q4_0; 16 stands for 0. */
  Q5_0(blocks, values) {
    const half = halfFloats();
    for (let at = 0, to = 0; to < values.length; at += 22, to += 32) {
      const d = half[halfBits(blocks, at)]!;
      for (let i = 0; i < 16; i++) {
        const pair = blocks[at + 6 + i]!;
        values[to + i] = d * (((pair & 15) | fifthBit(blocks, at + 2, i)) - 16);
        values[to + 16 + i] = d * (((pair >> 4) | fifthBit(blocks, at + 2, 16 + i)) - 16);
      }
    }
  },

  /** d and m, 32 bits that are the fifth ones, then 16 bytes as in Q4_0, from 0 on. */
  Q5_1(blocks, values) {
    const half = halfFloats();
    for (let at = 0, to = 0; to < values.length; at += 24, to += 32) {
      const d = half[halfBits(blocks, at)]!;
      const m = half[halfBits(blocks, at + 2)]!;
      for (let i = 0; i < 16; i++) {
        const pair = blocks[at + 8 + i]!;
        values[to + i] = d * ((pair & 15) | fifthBit(blocks, at + 4, i)) + m;
        values[to + 16 + i] = d * ((pair >> 4) | fifthBit(blocks, at + 4, 16 + i)) + m;
      }
    }
  },
};

/** 16 where bit `i` of the bits at an offset is set. */
function fifthBit(blocks: Uint8Array, at: number, i: number): number {
  return ((blocks[at + (i >> 3)]! >> (i & 7)) & 1) << 4;
}
