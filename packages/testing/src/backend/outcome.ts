import type * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';

/** A tensor's shape, type and values: what backends are compared by. */
export interface Outcome {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly values: readonly number[];
}

/** Reads tensors. They stay the caller's. */
export function outcomes(tensors: readonly tf.Tensor[]): Promise<Outcome[]> {
  return Promise.all(
    tensors.map(async tensor => ({
      shape: tensor.shape,
      dtype: tensor.dtype,
      values: Array.from<number>(await tensor.data()),
    })),
  );
}

/**
 * Expects the same shapes and types, and values that differ by rounding.
 *
 * @param relativeTo - what `tolerance` is relative to: each value, or 1 where it is smaller; or the largest of its tensor
 */
export function expectClose(
  actual: readonly Outcome[],
  expected: readonly Outcome[],
  tolerance: number,
  relativeTo: 'value' | 'largest',
): void {
  const described = (list: readonly Outcome[]): string =>
    list.map(({ shape, dtype }) => `${dtype}[${shape.join()}]`).join(' ');
  if (described(actual) !== described(expected)) expect.fail(`${described(actual)} for ${described(expected)}`);
  expected.forEach(({ values }, k) => {
    // Infinity among them would allow any difference.
    const largest = values.filter(Number.isFinite).reduce((max, value) => Math.max(max, Math.abs(value)), 1e-6);
    values.forEach((value, i) => {
      const got = actual[k]!.values[i]!;
      const allowed = tolerance * (relativeTo === 'largest' ? largest : Math.max(1, Math.abs(value)));
      const isClose = Number.isFinite(value) ? Math.abs(got - value) <= allowed : Object.is(got, value);
      if (!isClose) expect.fail(`tensor ${k}, element ${i}: ${got} for ${value}`);
    });
  });
}
