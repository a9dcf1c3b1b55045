import { fromFloat32 } from '@dropbp/safetensors';

/** Writes values as blocks. `values` are whole blocks. */
export type EncodeBlocks = (values: Float32Array) => Uint8Array<ArrayBuffer>;

/** 32 weights: an F16 scale d = largest / 127, and a signed byte for each. Source: `quantize_row_q8_0_ref` of ggml. */
export const encodeQ8: EncodeBlocks = values => {
  const count = values.length / 32;
  const blocks = new Uint8Array(34 * count);
  const scales = new Float32Array(count);
  for (let block = 0; block < count; block++) {
    const from = 32 * block;
    let largest = 0;
    for (let i = 0; i < 32; i++) largest = Math.max(largest, Math.abs(values[from + i]!));
    scales[block] = largest / 127;
    const inverse = largest === 0 ? 0 : Math.fround(1 / scales[block]!);
    for (let i = 0; i < 32; i++) blocks[34 * block + 2 + i] = roundAway(Math.fround(values[from + i]! * inverse));
  }
  return withHalves(blocks, 34, 0, scales);
};

/**
 * 32 weights: an F16 scale d = (the value of largest magnitude) / -8, and 4 bits for each, of which 8 stands for 0.
 * Source: `quantize_row_q4_0_ref` of ggml.
 */
export const encodeQ4: EncodeBlocks = values => {
  const count = values.length / 32;
  const blocks = new Uint8Array(18 * count);
  const scales = new Float32Array(count);
  for (let block = 0; block < count; block++) {
    const from = 32 * block;
    let extreme = 0;
    for (let i = 0; i < 32; i++) if (Math.abs(values[from + i]!) > Math.abs(extreme)) extreme = values[from + i]!;
    scales[block] = extreme / -8;
    const inverse = extreme === 0 ? 0 : Math.fround(1 / scales[block]!);
    const code = (i: number): number => Math.min(15, Math.trunc(Math.fround(values[from + i]! * inverse + 8.5)));
    for (let i = 0; i < 16; i++) blocks[18 * block + 2 + i] = code(i) | (code(16 + i) << 4);
  }
  return withHalves(blocks, 18, 0, scales);
};

/** Puts an F16 into every block. @param at - where in the block, in bytes */
export function withHalves(
  blocks: Uint8Array<ArrayBuffer>,
  blockBytes: number,
  at: number,
  values: Float32Array,
): Uint8Array<ArrayBuffer> {
  const halves = fromFloat32('F16', values);
  for (let i = 0; i < values.length; i++) blocks.set(halves.subarray(2 * i, 2 * i + 2), blockBytes * i + at);
  return blocks;
}

/** As C's `roundf`: halves go away from zero. */
function roundAway(value: number): number {
  return value < 0 ? -Math.floor(0.5 - value) : Math.floor(value + 0.5);
}
