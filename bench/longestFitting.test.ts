import { expect, it } from 'vitest';
import { longestFitting } from './longestFitting.ts';

const options = { first: 16, most: 4096, multiple: 8, halvings: 8 };

it('finds the longest multiple that fits', async () => {
  const tried: number[] = [];
  const found = await longestFitting(options, length => {
    tried.push(length);
    return Promise.resolve(length <= 203 ? `${length} fits` : undefined);
  });
  expect(found).toEqual({ length: 200, measured: '200 fits', tooLong: 208 });
  expect(tried).toEqual([16, 32, 64, 128, 256, 192, 224, 208, 200]);
});

it('ends after so many halvings, at the most that is allowed, and where nothing fits', async () => {
  const within = (limit: number) => (length: number) => Promise.resolve(length <= limit ? length : undefined);
  expect(await longestFitting({ ...options, halvings: 1 }, within(203))).toMatchObject({ length: 192, tooLong: 256 });
  expect(await longestFitting(options, within(1e9))).toEqual({ length: 4096, measured: 4096, tooLong: undefined });
  expect(await longestFitting(options, within(1))).toBeUndefined();
});
