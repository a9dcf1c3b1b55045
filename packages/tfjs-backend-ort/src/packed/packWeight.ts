import { problem } from '@dropbp/basics';
import { halfBits } from './halfBits.ts';
import { nf4Blocks } from './nf4.ts';
import type { PackedWeight, WeightForm } from './weightForm.ts';

/** Which axis of a weight the input features lie along: 1 for torch.nn.Linear, 0 for GPT-2's Conv1D. */
export type InputAxis = 0 | 1;

/**
 * Converts a weight of a linear layer.
 *
 * @param values - `[rows, columns]`; they are read once and not kept
 * @throws Problem for a value that is not finite, or in f16 too large
 */
export function packWeight(
  values: Float32Array,
  [rows, columns]: readonly [rows: number, columns: number],
  form: WeightForm,
  inputAxis: InputAxis,
): PackedWeight {
  const shape = [rows, columns];
  if (form === 'f16') {
    const part = { shape, dtype: 'float16' } as const;
    return {
      layout: { form, shape, isTransposed: false, parts: { values: part } },
      data: { values: halfBits(values) },
    };
  }
  if (form === 'int8') return packInt8(values, rows, columns, inputAxis);
  const { data, parts } = nf4Blocks(values);
  return { layout: { form, shape, isTransposed: false, parts }, data };
}

/** The largest magnitude of int8: −128 has no opposite. */
const INT8_MAX = 127;

/** Lies as `[inputs, outputs]`, as the forward product wants it, with a scale for each output. */
function packInt8(values: Float32Array, rows: number, columns: number, inputAxis: InputAxis): PackedWeight {
  const isTransposed = inputAxis === 1;
  const [inputs, outputs] = isTransposed ? [columns, rows] : [rows, columns];
  // Strides of an input and of an output in `values`.
  const [inputStride, outputStride] = isTransposed ? [1, columns] : [columns, 1];
  const quantised = new Int8Array(rows * columns);
  const scales = new Float32Array(outputs);
  for (let output = 0; output < outputs; output++) {
    let largest = 0;
    for (let input = 0; input < inputs; input++) {
      const value = values[input * inputStride + output * outputStride]!;
      if (!Number.isFinite(value)) throw notFinite(value);
      largest = Math.max(largest, Math.abs(value));
    }
    const scale = largest / INT8_MAX;
    scales[output] = scale;
    if (scale === 0) continue;
    for (let input = 0; input < inputs; input++) {
      quantised[input * outputs + output] = Math.round(values[input * inputStride + output * outputStride]! / scale);
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
      },
    },
    data: { values: quantised, scales },
  };
}

/** A weight that no quantised form can hold. */
export function notFinite(value: number): Error {
  return problem('tfjs-backend-ort', {
    what: 'a weight cannot be kept in fewer bits',
    got: value,
    expected: 'finite numbers',
    fix: 'look for NaN in the checkpoint',
  });
}
