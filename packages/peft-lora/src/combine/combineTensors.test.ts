import { expect, it } from 'vitest';
import { combineTensors, type Arithmetic } from './combineTensors.ts';

// Worked by hand after the definitions of TIES and DARE.
const tensors = [Float32Array.of(1, -4, 3, 0.5), Float32Array.of(-2, -1, 2, 0)];
const combined = (arithmetic: Arithmetic, options: Partial<Parameters<typeof combineTensors>[3]> = {}): number[] => [
  ...combineTensors(tensors, [1, 0.5], arithmetic, { density: 1, majoritySignMethod: 'total', seed: 0, ...options }),
];

it('adds with weights', () => {
  expect(combined('linear')).toEqual([0, -4.5, 4, 0.5]);
});

it('keeps the largest entries', () => {
  expect(combined('magnitude_prune', { density: 0.5 })).toEqual([-1, -4, 4, 0]);
});

it('takes the mean of those whose sign is elected, by value or by number', () => {
  expect(combined('ties')).toEqual([-1, -2.25, 2, 0.5]);
  expect(combined('ties', { majoritySignMethod: 'frequency' })).toEqual([1, -2.25, 2, 0.5]);
});

it('keeps entries at random, divided by their share', () => {
  const large = [new Float32Array(10_000).fill(1)];
  const kept = combineTensors(large, [1], 'dare_linear', { density: 0.25, majoritySignMethod: 'total', seed: 3 });
  expect(new Set(kept)).toEqual(new Set([0, 4]));
  expect(kept.reduce((sum, value) => sum + value, 0) / kept.length).toBeCloseTo(1, 1);
});
