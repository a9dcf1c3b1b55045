import { notFinite, type InputAxis, type RowPacker } from './weightForm.ts';

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
export function blockPacker(
  [rows, columns]: readonly [number, number],
  form: BlockForm,
  inputAxis: InputAxis,
): RowPacker {
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
  const bytes = new Uint8Array(blocks * BLOCK);
  const wanted = new Float64Array(blocks);
  // The blocks of an output reach over all rows then: they are packed when the last row is there.
  const turned = new Float32Array(isTransposed ? rows * columns : 0);
  let next = 0;
  const packOutput = (row: Float32Array, output: number): void => {
    for (let i = 0; i < blocks; i++) wanted[i] = scaleOf(row, blockAt(i, inputs), grid);
    const step = wanted.reduce((a, b) => Math.max(a, b)) / BYTE;
    if (step === 0) return;
    // Per part of a zero point: in these a session counts integers too.
    steps[output] = step / grid.parts;
    bytes.fill(0);
    for (let i = 0; i < blocks; i++) {
      if (wanted[i] === 0) continue;
      const block = blockAt(i, inputs);
      const byte = Math.max(1, Math.round(wanted[i]! / step));
      scales[output * blocks + i] = byte;
      zeros[output * blocks + i] = zeroOf(row, block, byte * step, grid);
      writeIntegers(row, block, { scale: byte * step, zero: zeros[output * blocks + i]! }, grid, bytes);
    }
    for (let i = 0; i < half; i++) codes[output * half + i] = (bytes[i]! >> 4) | (bytes[half + i]! & 0xf0);
    for (let i = 0; i < rest.length / outputs; i++) {
      let pairs = 0;
      for (let of = 0; of < 4; of++) pairs |= ((bytes[of * quarter + i]! >> 2) & 3) << (2 * of);
      rest[output * quarter + i] = pairs;
    }
  };
  return {
    rounds: 1,
    add(values) {
      for (let start = 0; start < values.length; start += columns, next++) {
        if (!isTransposed) packOutput(values.subarray(start, start + columns), next);
        else for (let output = 0; output < outputs; output++) turned[output * inputs + next] = values[start + output]!;
      }
    },
    finish() {
      for (let at = 0; at < turned.length; at += inputs) packOutput(turned.subarray(at, at + inputs), at / inputs);
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
    },
  };
}

interface Grid {
  /** Scales between the least weight of a block, or 0, and the largest. */
  readonly levels: number;
  /** Parts of a scale that zero points are told in, so that a byte holds each that can be. */
  readonly parts: number;
}

const gridOf = (bits: number): Grid => ({ levels: 2 ** bits - 1, parts: 2 ** (8 - bits) });

/** Where a block begins and ends in its row. */
type Block = readonly [start: number, end: number];

const blockAt = (index: number, inputs: number): Block => [index * BLOCK, Math.min((index + 1) * BLOCK, inputs)];

// Indices, not iterators, from here on: hundreds of millions of weights come through.

/** The scale of the grid that a block's weights lie on already, as those of a GGUF file do; or else that which just holds them. */
function scaleOf(row: Float32Array, block: Block, { levels }: Grid): number {
  // With 0 among them, so that a zero point is one of the levels.
  let [least, largest] = [0, 0];
  for (let i = block[0]; i < block[1]; i++) {
    const value = row[i]!;
    if (!Number.isFinite(value)) throw notFinite(value);
    if (value < least) least = value;
    else if (value > largest) largest = value;
  }
  const range = largest - least;
  // Q4_0 goes through more than half of its levels, from 0 on; Q4_1 through all.
  for (let count = levels; count > levels / 2; count--) {
    if (isOnGrid(row, block, least, range / count)) return range / count;
  }
  return range / levels;
}

/** How far a weight may be from a grid, in scales: as far as bf16 takes it. */
const NEAR = 0.05;

function isOnGrid(row: Float32Array, [start, end]: Block, least: number, scale: number): boolean {
  const perScale = 1 / scale;
  for (let i = start; i < end; i++) {
    const place = (row[i]! - least) * perScale;
    if (Math.abs(place - Math.round(place)) > NEAR) return false;
  }
  return true;
}

/** The zero point of a block, in parts, with which its weights are right on average. */
function zeroOf(row: Float32Array, [start, end]: Block, scale: number, { levels, parts }: Grid): number {
  let least = 0;
  for (let i = start; i < end; i++) if (row[i]! < least) least = row[i]!;
  const first = Math.min(Math.round((-least / scale) * parts), BYTE);
  const [perScale, origin] = [1 / scale, first / parts];
  let sum = 0;
  for (let i = start; i < end; i++) {
    const place = row[i]! * perScale;
    sum += nearest(place + origin, levels) - place;
  }
  return Math.max(0, Math.min(Math.round((sum / (end - start)) * parts), BYTE));
}

/** Writes the integers of a block, in parts. */
function writeIntegers(
  row: Float32Array,
  [start, end]: Block,
  { scale, zero }: { readonly scale: number; readonly zero: number },
  { levels, parts }: Grid,
  bytes: Uint8Array,
): void {
  const [perScale, origin] = [1 / scale, zero / parts];
  for (let i = start; i < end; i++) bytes[i] = nearest(row[i]! * perScale + origin, levels) * parts;
}

/** The nearest of the integers from 0 to `levels`. */
function nearest(place: number, levels: number): number {
  if (place <= 0) return 0;
  return place >= levels ? levels : Math.floor(place + 0.5);
}
