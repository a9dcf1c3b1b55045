import { describe, expect, it } from 'vitest';
import { bucketLength } from './index.ts';

describe('bucketLength', () => {
  it('fills up to few lengths', () => {
    const lengths = Array.from({ length: 4096 }, (_, i) => bucketLength(i + 1));
    expect(new Set(lengths).size).toBe(24);
    lengths.forEach((length, i) => {
      expect(length).toBeGreaterThanOrEqual(i + 1);
      if (i + 1 > 128) expect(length).toBeLessThan(1.25 * (i + 1));
    });
    expect([1, 33, 129, 512, 513].map(length => bucketLength(length))).toEqual([32, 64, 160, 512, 640]);
  });
  it('never exceeds what may be asked for, nor cuts', () => {
    expect(bucketLength(300, 310)).toBe(310);
    expect(bucketLength(300, 200)).toBe(300);
  });
});
