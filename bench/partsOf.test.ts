import { expect, test } from 'vitest';
import { partsOf } from './partsOf.ts';

const parts = ['lora', 'full', 'generate'] as const;

test('parts come in the order in which they were named', () => {
  expect(partsOf('generate,lora', parts)).toEqual(['generate', 'lora']);
});

test('a part that there is not is refused with those that there are', () => {
  expect(() => partsOf('lora,fill', parts)).toThrow("--only lora,fill: no part 'fill'; there are lora, full, generate");
});
