import { seededRandom } from '@dropbp/basics';
import * as tf from '@tensorflow/tfjs';

/** An input of a case. */
export interface CaseInput {
  readonly shape: number[];
  readonly dtype: 'float32' | 'int32' | 'bool';
  readonly values: number[];
}

/** One way to call a kernel, to be compared with tfjs's cpu backend. */
export interface KernelCase {
  readonly name: string;
  readonly inputs: readonly CaseInput[];
  readonly run: (...inputs: tf.Tensor[]) => tf.Tensor | tf.Tensor[];
  /** What to compare with instead, where tfjs's cpu backend has no such kernel. */
  readonly expected?: (...inputs: tf.Tensor[]) => tf.Tensor | tf.Tensor[];
  /** Why tfjs's own gradient of this case cannot be compared. */
  readonly noGradient?: string;
  /** Why tfjs's own gradient, the same on every backend, is not that of finite differences. */
  readonly noDifferences?: string;
}

export type KernelCases = Readonly<Record<string, readonly KernelCase[]>>;

export function floats(shape: number[], minimum = -2, maximum = 2, seed = 1): CaseInput {
  const random = seededRandom(seed);
  const size = shape.reduce((a, b) => a * b, 1);
  return {
    shape,
    dtype: 'float32',
    values: Array.from({ length: size }, () => minimum + (maximum - minimum) * random()),
  };
}

export function ints(shape: number[], values: number[]): CaseInput {
  return { shape, dtype: 'int32', values };
}

export function bools(shape: number[], values: number[]): CaseInput {
  return { shape, dtype: 'bool', values };
}

export function listed(...values: number[]): CaseInput {
  return { shape: [values.length], dtype: 'float32', values };
}

type Run = KernelCase['run'];

export function kase(name: string, inputs: readonly CaseInput[], run: Run, more: Partial<KernelCase> = {}): KernelCase {
  return { name, inputs, run, ...more };
}

/** Calls a kernel by its name, as tfjs's operations do. */
export function call(
  kernelName: string,
  inputs: tf.Tensor[] | Record<string, tf.Tensor>,
  attrs: object = {},
): tf.Tensor {
  return tf.engine().runKernel(kernelName, inputs as unknown as tf.NamedTensorMap, attrs as tf.NamedAttrMap);
}
