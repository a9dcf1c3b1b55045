import { expect, test } from 'vitest';
import { longestSequence } from './longestSequence.ts';

/** Peaks that grow faster than a straight line, and what of them was measured. */
function peaks(): { at: (time: number) => { time: number; peakMB: number }; measured: number[] } {
  const measured: number[] = [];
  return {
    measured,
    at: time => {
      measured.push(time);
      return { time, peakMB: 500 + time / 2 + time ** 2 / 20_000 };
    },
  };
}

test('a length that was measured to fit, where the straight line goes past the limit', () => {
  const { at, measured } = peaks();
  const longest = longestSequence(at(1024), at(2048), at, 4096, 128);
  expect(longest.peakMB).toBeLessThanOrEqual(4096);
  expect(longest.time % 128).toBe(0);
  expect(at(longest.time + 256).peakMB).toBeGreaterThan(4096);
  expect(measured.some(time => at(time).peakMB > 4096)).toBe(true);
});

test('a length below the shortest that was measured, where that does not fit', () => {
  const { at } = peaks();
  const longest = longestSequence(at(4096), at(8192), at, 2048, 128);
  expect(longest.time).toBeLessThan(4096);
  expect(longest.peakMB).toBeLessThanOrEqual(2048);
});
