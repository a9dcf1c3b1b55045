import { notFinite } from './packWeight.ts';
import type { PackedWeight } from './weightForm.ts';

/** Weights that share a scale and a zero point. They follow each other along the inputs, as in GGUF files. */
export const BLOCK = 32;
const BYTE = 255;

/** Bits of a weight in the forms that lie in blocks. */
export const blockBits = { int4: 4, int6: 6 } as const;
export type BlockForm = keyof typeof blockBits;

/**
 * Integers of 4 or 6 bits in blocks of {@link BLOCK}: a weight is `scale · (integer − zero)`. A block's scale is a byte times the step
 * of its output, its zero point a byte too: 4.5 or 6.5 bits a weight, and a number for each output.
 *
 * Lies as `[outputs, inputs]`, inputs filled up to whole blocks. A byte of the first four bits holds that of an input in the first half
 * of a row, and of one in the second half in its upper bits; a byte of the other two that of each quarter. So a session takes them apart
 * without moving single numbers.
 */
export function packBlocks(
  values: Float32Array,
  [rows, columns]: readonly [number, number],
  form: BlockForm,
  inputAxis: 0 | 1,
): PackedWeight {
  const grid = gridOf(blockBits[form]);
  const isTransposed = inputAxis === 0;
  const [outputs, inputs] = isTransposed ? [columns, rows] : [rows, columns];
  const blocks = Math.ceil(inputs / BLOCK);
  const [half, quarter] = [(blocks * BLOCK) / 2, (blocks * BLOCK) / 4];
  const codes = new Uint8Array(outputs * half);
  const rest = new Uint8Array(form === 'int6' ? outputs * quarter : 0);
  const scales = new Uint8Array(outputs * blocks);
  const zeros = new Uint8Array(outputs * blocks);
  const steps = new Float32Array(outputs);
  const row = new Float32Array(inputs);
  const rowBlocks = Array.from({ length: blocks }, (_, i) => row.subarray(i * BLOCK, (i + 1) * BLOCK));
  for (let output = 0; output < outputs; output++) {
    if (isTransposed) for (let i = 0; i < inputs; i++) row[i] = values[i * outputs + output]!;
    else row.set(values.subarray(output * inputs, (output + 1) * inputs));
    const wanted = rowBlocks.map(block => scaleOf(block, grid));
    const step = Math.max(...wanted) / BYTE;
    if (step === 0) continue;
    // Per part of a zero point: in these a session counts integers too.
    steps[output] = step / grid.parts;
    rowBlocks.forEach((block, i) => {
      if (wanted[i] === 0) return;
      const at = output * blocks + i;
      scales[at] = Math.max(1, Math.round(wanted[i]! / step));
      const scale = scales[at] * step;
      const zero = zeroOf(block, scale, grid);
      zeros[at] = zero;
      for (let j = 0; j < block.length; j++) {
        const input = i * BLOCK + j;
        const byte = integerOf(block[j]!, scale, zero, grid) * grid.parts;
        codes[output * half + (input % half)]! |= input < half ? byte >> 4 : byte & 0xf0;
        if (form === 'int6')
          rest[output * quarter + (input % quarter)]! |= ((byte >> 2) & 3) << (2 * Math.floor(input / quarter));
      }
    });
  }
  return {
    layout: {
      form,
      shape: [rows, columns],
      isTransposed,
      parts: {
        codes: { shape: [outputs, half], dtype: 'uint8' },
        ...(form === 'int6' && { rest: { shape: [outputs, quarter], dtype: 'uint8' } }),
        scales: { shape: [outputs, blocks], dtype: 'uint8' },
        zeros: { shape: [outputs, blocks], dtype: 'uint8' },
        steps: { shape: [outputs, 1], dtype: 'float32' },
      },
    },
    data: { codes, ...(form === 'int6' && { rest }), scales, zeros, steps },
  };
}

interface Grid {
  /** Scales between the least weight of a block, or 0, and the largest. */
  readonly levels: number;
  /** Parts of a scale that zero points are told in, so that a byte holds each that can be. */
  readonly parts: number;
}

const gridOf = (bits: number): Grid => ({ levels: 2 ** bits - 1, parts: 2 ** (8 - bits) });

/** The scale of the grid that a block's weights lie on already, as those of a GGUF file do; or else that which just holds them. */
function scaleOf(block: Float32Array, { levels }: Grid): number {
  // With 0 among them, so that a zero point is one of the levels.
  let [least, largest] = [0, 0];
  for (const value of block) {
    if (!Number.isFinite(value)) throw notFinite(value);
    if (value < least) least = value;
    else if (value > largest) largest = value;
  }
  const range = largest - least;
  // Q4_0 goes through more than half of its levels, from 0 on; Q4_1 through all.
  for (let count = levels; count > levels / 2; count--) {
    if (isOnGrid(block, least, range / count)) return range / count;
  }
  return range / levels;
}

/** How far a weight may be from a grid, in scales: as far as bf16 takes it. */
const NEAR = 0.05;

function isOnGrid(block: Float32Array, least: number, scale: number): boolean {
  for (const value of block) {
    const place = (value - least) / scale;
    if (Math.abs(place - Math.round(place)) > NEAR) return false;
  }
  return true;
}

/** The zero point of a block, in parts, with which its weights are right on average. */
function zeroOf(block: Float32Array, scale: number, grid: Grid): number {
  let least = 0;
  for (const value of block) if (value < least) least = value;
  const first = Math.min(Math.round((-least / scale) * grid.parts), BYTE);
  let sum = 0;
  for (const value of block) sum += integerOf(value, scale, first, grid) - value / scale;
  return Math.max(0, Math.min(Math.round((sum / block.length) * grid.parts), BYTE));
}

function integerOf(value: number, scale: number, zero: number, { levels, parts }: Grid): number {
  return Math.max(0, Math.min(Math.round(value / scale + zero / parts), levels));
}
