import { expect, test } from 'vitest';
import { longestSequence } from './longestSequence.ts';

/** Peaks that follow a curve, and what of them was measured. */
function peaks(peakOf: (time: number) => number): {
  at: (time: number) => { time: number; peakMB: number };
  measured: number[];
} {
  const measured: number[] = [];
  return {
    measured,
    at: time => {
      measured.push(time);
      return { time, peakMB: peakOf(time) };
    },
  };
}
const steepening = (time: number): number => 500 + time / 2 + time ** 2 / 20_000;
const flattening = (time: number): number => 200 + 40 * Math.sqrt(time);

test('a length that was measured to fit, where the straight line goes past the limit', () => {
  const { at, measured } = peaks(steepening);
  const longest = longestSequence(at(1024), at(2048), at, 4096, 128);
  expect(longest.peakMB).toBeLessThanOrEqual(4096);
  expect(longest.peakMB).toBeGreaterThan(0.98 * 4096 - 130);
  expect(longest.time % 128).toBe(0);
  expect(measured.some(time => steepening(time) > 4096)).toBe(true);
});

test('a longer one than the line says, where peaks grow ever more slowly', () => {
  const { at } = peaks(flattening);
  const longest = longestSequence(at(1024), at(2048), at, 4096, 128);
  expect(longest.peakMB).toBeLessThanOrEqual(4096);
  expect(longest.peakMB).toBeGreaterThan(0.98 * 4096);
});

test('a length below the shortest that was measured, where that does not fit', () => {
  const { at } = peaks(steepening);
  const longest = longestSequence(at(4096), at(8192), at, 2048, 128);
  expect(longest.time).toBeLessThan(4096);
  expect(longest.peakMB).toBeLessThanOrEqual(2048);
});

test('the last multiple that fits, where the next one takes much more', () => {
  const { at } = peaks(time => (time <= 1024 ? 1000 : 9000) + time / 1000);
  expect(longestSequence(at(512), at(2048), at, 4096, 128).time).toBe(1024);
});

test('no length fits', () => {
  const { at } = peaks(time => 5000 + time);
  expect(() => longestSequence(at(512), at(1024), at, 4096, 128)).toThrow('not even');
});
