import { expect, it } from 'vitest';
import { signature } from './signature.ts';

const x = { shape: [2, 3], dtype: 'float32' };

it('tells inputs and attributes apart', () => {
  const of = (value: number): string => signature('PadV2', { x }, { value });
  const all = [0, -0, 1, Infinity, -Infinity, NaN].map(of);
  expect(new Set(all).size).toBe(all.length);
  expect(signature('Add', { a: x, b: x }, {})).not.toBe(signature('Add', { a: x, b: { ...x, shape: [23] } }, {}));
  expect(signature('Add', { x }, {})).not.toBe(signature('Add', { x: { ...x, dtype: 'int32' } }, {}));
  expect(signature('Add', { x }, {})).toBe(signature('Add', { x: { ...x } }, {}));
});
