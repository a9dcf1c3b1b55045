import { expect, it } from 'vitest';
import { stepCost } from './stepCost.ts';

it("gives the paper's shares", () => {
  expect([0, 0.5, 0.75, 0.875].map(rate => stepCost({ rate, backward: 1 }))).toEqual([1, 0.75, 0.625, 0.5625]);
  expect(stepCost({ rate: 0.5, backward: 2 })).toBeCloseTo(2 / 3, 12);
  expect(stepCost({ rate: 0.875, backward: 2 })).toBeCloseTo(1.25 / 3, 12);
});

it('refuses other costs and rates', () => {
  expect(() => stepCost({ rate: 0.5, backward: 3 as 2 })).toThrow('backward is not usable; got 3; expected 1 (LoRA)');
  expect(() => stepCost({ rate: 2, backward: 1 })).toThrow('rate is not usable; got 2; expected a number in [0, 1]');
});
