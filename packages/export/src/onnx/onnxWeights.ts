import { fromFloat32 } from '@dropbp/safetensors';
import type { ElementType, OnnxNode } from '@dropbp/tfjs-backend-ort';

/** How the matrices of a file are written, by the names that transformers.js has for them (`dtype`). */
export type OnnxType = 'fp32' | 'fp16' | 'q8' | 'q4';

/** A constant of a file. */
export interface StoredWeight {
  readonly name: string;
  readonly dtype: ElementType | 'int4';
  readonly shape: readonly number[];
  readonly sizeBytes: number;
  /** Which part of the encoded weight it is. */
  readonly part: 'values' | 'scales';
}

/** How one weight is written: its constants, and the node that makes float32 of them. */
export interface WeightPlan {
  readonly stored: readonly StoredWeight[];
  readonly nodes: readonly OnnxNode[];
  readonly encode: (values: Float32Array) => Readonly<Record<StoredWeight['part'], Uint8Array>>;
}

/** Weights of a 4-bit block. */
const BLOCK = 32;
/** Vectors and small matrices are not worth packing. */
const FEWEST = 1024;

const none = new Uint8Array();

/**
 * Plans how a weight is written.
 *
 * @param name - of the value that the graph reads
 * @param isOuter - whether it is an embedding or an output layer, in which errors of 4 bits cost the most
 */
export function planWeight(name: string, shape: readonly number[], type: OnnxType, isOuter: boolean): WeightPlan {
  const count = shape.reduce((product, size) => product * size, 1);
  const isMatrix = shape.length === 2 && count >= FEWEST;
  if (type === 'fp32' || !isMatrix) {
    const stored = { name, dtype: 'float32' as const, shape, sizeBytes: 4 * count, part: 'values' as const };
    return { stored: [stored], nodes: [], encode: values => ({ values: fromFloat32('F32', values), scales: none }) };
  }
  const node = (op: string, inputs: string[], attributes: OnnxNode['attributes']): OnnxNode => ({ op, inputs, outputs: [name], attributes, domain: '' }); // prettier-ignore
  const values = (dtype: StoredWeight['dtype'], sizeBytes: number): StoredWeight => ({ name: `${name}.${dtype}`, dtype, shape, sizeBytes, part: 'values' }); // prettier-ignore
  const scales = (of: readonly number[]): StoredWeight => ({ name: `${name}.scale`, dtype: 'float32', shape: of, sizeBytes: 4 * of.reduce((a, b) => a * b), part: 'scales' }); // prettier-ignore
  if (type === 'fp16') {
    const half = values('float16', 2 * count);
    const encode = (given: Float32Array): ReturnType<WeightPlan['encode']> => ({ values: fromFloat32('F16', given), scales: none }); // prettier-ignore
    return { stored: [half], nodes: [node('Cast', [half.name], { to: 1 })], encode };
  }
  const [rows, columns] = shape as [number, number];
  if (type === 'q4' && !isOuter && columns % BLOCK === 0) {
    const stored = [values('int4', count / 2), scales([rows, columns / BLOCK])];
    const attributes = { axis: 1, block_size: BLOCK };
    return { stored, nodes: [node('DequantizeLinear', stored.map(each => each.name), attributes)], encode: encodeInt4 }; // prettier-ignore
  }
  const stored = [values('int8', count), scales([rows])];
  const encode = (given: Float32Array): ReturnType<WeightPlan['encode']> => encodeInt8(given, columns);
  return { stored, nodes: [node('DequantizeLinear', stored.map(each => each.name), { axis: 0 })], encode }; // prettier-ignore
}

/** A scale for each row: largest / 127. */
function encodeInt8(values: Float32Array, columns: number): ReturnType<WeightPlan['encode']> {
  const codes = new Int8Array(values.length);
  const scales = new Float32Array(values.length / columns);
  for (let row = 0; row < scales.length; row++) {
    let largest = 0;
    for (let i = row * columns; i < (row + 1) * columns; i++) largest = Math.max(largest, Math.abs(values[i]!));
    scales[row] = largest / 127;
    const inverse = largest === 0 ? 0 : 127 / largest;
    for (let i = row * columns; i < (row + 1) * columns; i++) codes[i] = Math.round(values[i]! * inverse);
  }
  return { values: bytesOf(codes), scales: bytesOf(scales) };
}

/** A scale for each block: (the value of largest magnitude) / -8. Two codes a byte, the first in the low half. */
function encodeInt4(values: Float32Array): ReturnType<WeightPlan['encode']> {
  const codes = new Uint8Array(values.length / 2);
  const scales = new Float32Array(values.length / BLOCK);
  for (let block = 0; block < scales.length; block++) {
    let extreme = 0;
    for (let i = BLOCK * block; i < BLOCK * (block + 1); i++) {
      if (Math.abs(values[i]!) > Math.abs(extreme)) extreme = values[i]!;
    }
    scales[block] = extreme / -8;
    const inverse = extreme === 0 ? 0 : -8 / extreme;
    for (let i = BLOCK * block; i < BLOCK * (block + 1); i++) {
      const code = Math.max(-8, Math.min(7, Math.round(values[i]! * inverse)));
      codes[i >> 1]! |= (code & 15) << (4 * (i & 1));
    }
  }
  return { values: codes, scales: bytesOf(scales) };
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}
