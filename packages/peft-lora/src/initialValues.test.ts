import { describe, expect, it } from 'vitest';
import { seededRandom } from '@dropbp/basics';
import { initialValues } from './initialValues.ts';
import type { LoraLayer } from './loraLayers.ts';

const sizes = { rank: 50, inFeatures: 400, outFeatures: 300 };
const layer: LoraLayer = {
  module: 'q',
  kind: 'linear',
  hasBias: false,
  ...sizes,
  rankKey: undefined,
  alpha: 1,
  scaling: 1,
};

const deviation = (values: Float32Array): number =>
  Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);
const largest = (values: Float32Array): number => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

describe('initialValues', () => {
  it('draws A uniform within 1/√inFeatures and leaves B zero', () => {
    const { a, b } = initialValues(layer, 'default', seededRandom(1));
    expect([a.length, b.length]).toEqual([50 * 400, 300 * 50]);
    expect(largest(a)).toBeLessThanOrEqual(Math.fround(1 / 20));
    expect(deviation(a)).toBeCloseTo(1 / 20 / Math.sqrt(3), 3);
    expect(largest(b)).toBe(0);
  });
  it("draws A normal of deviation 1/rank for 'gaussian'", () => {
    const { a, b } = initialValues(layer, 'gaussian', seededRandom(1));
    expect(deviation(a)).toBeCloseTo(1 / 50, 3);
    expect(largest(a)).toBeGreaterThan(3 / 50);
    expect(largest(b)).toBe(0);
  });
  it('draws B uniform within 1/√rank for false', () => {
    const { a, b } = initialValues(layer, false, seededRandom(1));
    expect(largest(a)).toBeLessThanOrEqual(Math.fround(1 / 20));
    expect(largest(b)).toBeLessThanOrEqual(Math.fround(1 / Math.sqrt(50)));
    expect(deviation(b)).toBeCloseTo(1 / Math.sqrt(50) / Math.sqrt(3), 2);
  });
});
