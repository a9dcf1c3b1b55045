import type { PackedForm } from '@dropbp/engine';
import { toHalf } from './halfBits.ts';
import { packBlocks } from './packBlocks.ts';
import { notFinite, type PackedWeight } from './weightForm.ts';

/** Which axis of a weight the input features lie along: 1 for torch.nn.Linear, 0 for GPT-2's Conv1D. */
export type InputAxis = 0 | 1;

/**
 * Converts a weight of a linear layer.
 *
 * @param values - `[rows, columns]`; they are not kept, nor left as they were
 * @param isTable - whether rows are looked up in it too. @defaultValue false
 * @throws Problem for a value that is not finite, or in f16 too large
 */
export function packWeight(
  values: Float32Array,
  [rows, columns]: readonly [rows: number, columns: number],
  form: PackedForm,
  inputAxis: InputAxis,
  isTable: boolean = false,
): PackedWeight {
  const shape = [rows, columns];
  if (form === 'f16') {
    const part = { shape, dtype: 'float16' } as const;
    return {
      layout: { form, shape, isTransposed: false, parts: { values: part } },
      data: { values: toHalf(values) },
    };
  }
  if (form === 'int8') return isTable ? packTable(values, rows, columns) : packInt8(values, rows, columns, inputAxis);
  return packBlocks(values, [rows, columns], form, inputAxis);
}

/** The largest magnitude of int8: −128 has no opposite. */
const INT8_MAX = 127;
/** Outputs that are converted together. */
const TILE = 64;

/** Lies as `[inputs, outputs]`, as the forward product wants it, with a scale for each output, and the sum of its integers. */
function packInt8(values: Float32Array, rows: number, columns: number, inputAxis: InputAxis): PackedWeight {
  const isTransposed = inputAxis === 1;
  const [inputs, outputs] = isTransposed ? [columns, rows] : [rows, columns];
  // Strides of an input and of an output in `values`.
  const [inputStride, outputStride] = isTransposed ? [1, columns] : [columns, 1];
  const quantised = new Int8Array(rows * columns);
  const scales = new Float32Array(outputs);
  const sums = new Float32Array(outputs);
  for (let output = 0; output < outputs; output++) {
    let largest = 0;
    for (let input = 0; input < inputs; input++) {
      const value = values[input * inputStride + output * outputStride]!;
      if (!Number.isFinite(value)) throw notFinite(value);
      largest = Math.max(largest, Math.abs(value));
    }
    scales[output] = largest / INT8_MAX;
  }
  // Few outputs at a time, so that both what is read and what is written stays in the processor's cache.
  for (let start = 0; start < outputs; start += TILE) {
    const end = Math.min(start + TILE, outputs);
    for (let input = 0; input < inputs; input++) {
      for (let output = start; output < end; output++) {
        const scale = scales[output]!;
        if (scale === 0) continue;
        const value = Math.round(values[input * inputStride + output * outputStride]! / scale);
        quantised[input * outputs + output] = value;
        sums[output]! += value;
      }
    }
  }
  return {
    layout: {
      form: 'int8',
      shape: [rows, columns],
      isTransposed,
      parts: {
        values: { shape: [inputs, outputs], dtype: 'int8' },
        scales: { shape: [outputs], dtype: 'float32' },
        sums: { shape: [outputs], dtype: 'float32' },
      },
    },
    data: { values: quantised, scales, sums },
  };
}

/**
 * A table whose rows are looked up, and multiplied with as an output layer: a scale for each column too. In real embeddings a few
 * columns are several times as large as the others, and would leave these few of the 255 steps. Columns are divided by the
 * square root of their root mean square, halfway between equal shares of the steps and equal errors; what is looked up is multiplied with it, and so is what the output layer reads, at the price of a small product.
 */
function packTable(values: Float32Array, rows: number, columns: number): PackedWeight {
  const sizes = new Float64Array(columns);
  for (let i = 0; i < values.length; i++) sizes[i % columns]! += values[i]! ** 2 / rows;
  const scales = Float32Array.from(sizes, size => (size > 0 ? size ** 0.25 : 1));
  for (let i = 0; i < values.length; i++) values[i]! /= scales[i % columns]!;
  const { layout, data } = packInt8(values, rows, columns, 1);
  const parts = { ...layout.parts, columns: { shape: [columns], dtype: 'float32' } } as const;
  return { layout: { ...layout, parts }, data: { ...data, columns: scales } };
}
