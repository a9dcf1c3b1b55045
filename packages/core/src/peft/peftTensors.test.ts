import { expect, it } from 'vitest';
import { compareBases } from './peftTensors.ts';

it('names both models, whatever a file holds in the place of a name', () => {
  expect(compareBases('org/base', 'toy')).toBe('the adapter was made for "org/base", the model is "toy"');
  let deep: unknown = 1;
  // JSON.parse takes such a value from a file, and JSON.stringify runs out of stack on it.
  for (let i = 0; i < 100_000; i++) deep = [deep];
  expect(compareBases(deep, 'toy')).toBe('the adapter was made for a model without a name, the model is "toy"');
});
