import { expect, it } from 'vitest';
import { sensitivityFromNorms } from './sensitivityFromNorms.ts';

it('sums squared changes, with 0 for a gradient that is missing on either side', () => {
  const base = new Map([['a', 3], ['b', 2], ['c', 7]]); // prettier-ignore
  const dropped = new Map([['b', 1.5], ['c', 7], ['d', 2]]); // prettier-ignore
  expect(sensitivityFromNorms({ base, dropped })).toBe(9 + 0.25 + 4);
});

it('keeps small changes beside large ones', () => {
  const base = new Map([['big', 1e4], ['small', 1]]); // prettier-ignore
  const dropped = new Map([['small', 1 - 2 ** -10]]);
  expect(sensitivityFromNorms({ base, dropped })).toBe(1e8 + 2 ** -20);
});

it('refuses what are no maps', () => {
  expect(() => sensitivityFromNorms({ base: { a: 1 } as never, dropped: new Map() })).toThrow(
    'sensitivityFromNorms(): base is not usable; got {"a":1}; expected a Map of norms',
  );
});

it('names the parameter whose gradient is not finite', () => {
  expect(() => sensitivityFromNorms({ base: new Map(), dropped: new Map([['q.lora_A', NaN]]) })).toThrow(
    "[@dropbp/dropbp] the gradient norm of 'q.lora_A' is not usable; got NaN",
  );
});
