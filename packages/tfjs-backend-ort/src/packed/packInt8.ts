import { notFinite, type InputAxis, type PackedWeight, type RowPacker } from './weightForm.ts';

/** The largest magnitude of int8: −128 has no opposite. */
const INT8_MAX = 127;
/** Outputs that are converted together. */
const TILE = 64;

/** Lies as `[inputs, outputs]`, as the forward product wants it, with a scale for each output, and the sum of its integers. */
export function int8Packer(shape: readonly [number, number], inputAxis: InputAxis): RowPacker {
  return inputAxis === 1 ? outputRows(shape) : inputRows(shape);
}

/** A row holds the weights of one output. */
function outputRows(shape: readonly [number, number]): RowPacker {
  const [outputs, inputs] = shape;
  const parts = emptyParts(inputs, outputs);
  const { values: quantised, scales, sums } = parts;
  let first = 0;
  return {
    rounds: 1,
    add(values) {
      const count = values.length / inputs;
      for (let row = 0; row < count; row++) {
        let largest = 0;
        for (let i = row * inputs; i < (row + 1) * inputs; i++) largest = larger(largest, values[i]!);
        scales[first + row] = largest / INT8_MAX;
      }
      // Few outputs at a time, so that both what is read and what is written stays in the processor's cache.
      for (let start = 0; start < count; start += TILE) {
        const end = Math.min(start + TILE, count);
        for (let input = 0; input < inputs; input++) {
          for (let row = start; row < end; row++) {
            const output = first + row;
            const scale = scales[output]!;
            if (scale === 0) continue;
            const value = Math.round(values[row * inputs + input]! / scale);
            quantised[input * outputs + output] = value;
            sums[output]! += value;
          }
        }
      }
      first += count;
    },
    finish: () => packedInt8(shape, true, parts),
  };
}

/** A row holds the weights of one input: the first round finds the scales. */
function inputRows(shape: readonly [number, number]): RowPacker {
  const [inputs, outputs] = shape;
  const parts = emptyParts(inputs, outputs);
  const { values: quantised, scales, sums } = parts;
  let [seen, at] = [0, 0];
  return {
    rounds: 2,
    add(values) {
      if (seen < quantised.length) {
        for (let i = 0; i < values.length; i++) scales[i % outputs] = larger(scales[i % outputs]!, values[i]!);
        seen += values.length;
        if (seen === quantised.length) for (let output = 0; output < outputs; output++) scales[output]! /= INT8_MAX;
        return;
      }
      for (let i = 0; i < values.length; i++) {
        const scale = scales[i % outputs]!;
        if (scale === 0) continue;
        const value = Math.round(values[i]! / scale);
        quantised[at + i] = value;
        sums[i % outputs]! += value;
      }
      at += values.length;
    },
    finish: () => packedInt8(shape, false, parts),
  };
}

/**
 * A table whose rows are looked up, and multiplied with as an output layer: a scale for each column too. In real embeddings a few
 * columns are several times as large as the others, and would leave these few of the 255 steps. So columns are divided by the square
 * root of their root mean square: halfway between equal shares of the steps and equal errors. What is looked up is multiplied with
 * it, and so is what the output layer reads, at the price of a small product.
 */
export function tablePacker(shape: readonly [number, number]): RowPacker {
  const [rows, columns] = shape;
  const rest = outputRows(shape);
  const sizes = new Float64Array(columns);
  let scales: Float32Array | undefined;
  let seen = 0;
  return {
    rounds: 2,
    add(values) {
      if (seen < rows * columns) {
        for (let i = 0; i < values.length; i++) sizes[i % columns]! += values[i]! ** 2 / rows;
        seen += values.length;
        return;
      }
      scales ??= Float32Array.from(sizes, size => (size > 0 ? size ** 0.25 : 1));
      for (let i = 0; i < values.length; i++) values[i]! /= scales[i % columns]!;
      rest.add(values);
    },
    finish() {
      const { layout, data } = rest.finish();
      const parts = { ...layout.parts, columns: { shape: [columns], dtype: 'float32' } } as const;
      return { layout: { ...layout, parts }, data: { ...data, columns: scales! } };
    },
  };
}

interface Int8Parts {
  readonly values: Int8Array;
  readonly scales: Float32Array;
  readonly sums: Float32Array;
}

function emptyParts(inputs: number, outputs: number): Int8Parts {
  return {
    values: new Int8Array(inputs * outputs),
    scales: new Float32Array(outputs),
    sums: new Float32Array(outputs),
  };
}

function packedInt8(shape: readonly [number, number], isTransposed: boolean, data: Int8Parts): PackedWeight {
  const [inputs, outputs] = isTransposed ? [shape[1], shape[0]] : shape;
  return {
    layout: {
      form: 'int8',
      shape,
      isTransposed,
      parts: {
        values: { shape: [inputs, outputs], dtype: 'int8' },
        scales: { shape: [outputs], dtype: 'float32' },
        sums: { shape: [outputs], dtype: 'float32' },
      },
    },
    data: { ...data },
  };
}

function larger(largest: number, value: number): number {
  if (!Number.isFinite(value)) throw notFinite(value);
  return Math.max(largest, Math.abs(value));
}
