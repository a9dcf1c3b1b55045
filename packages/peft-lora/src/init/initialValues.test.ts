import { describe, expect, it } from 'vitest';
import { seededRandom } from '@dropbp/basics';
import { initialBias, initialValues } from './initialValues.ts';
import { fromFloat32 } from './linearAlgebra.ts';
import type { LoraLayer } from '../plan/loraLayers.ts';

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
  it("draws A and B whose product is zero for 'orthogonal'", () => {
    const { a, b } = initialValues(layer, 'orthogonal', seededRandom(1));
    const product = fromFloat32(b, 300, 50).mmul(fromFloat32(a, 50, 400));
    expect(product.norm()).toBeLessThan(1e-3);
    // Rows of an orthogonal matrix times normal samples, over 10.
    expect(deviation(a)).toBeCloseTo(Math.sqrt(0.5) / 10, 2);
    expect(deviation(b)).toBeCloseTo(Math.sqrt(0.5) / 10, 2);
    expect(() => initialValues({ ...layer, rank: 3 }, 'orthogonal', seededRandom(1))).toThrow(
      "initialization 'orthogonal' divides the rank of 'q' in two; got 3; expected an even rank",
    );
  });
  it('starts embeddings with A zero and B normal, whatever is asked for but false', () => {
    const table: LoraLayer = { ...layer, kind: 'embedding' };
    for (const initialization of ['default', 'gaussian', 'orthogonal', 'pissa'] as const) {
      const { a, b } = initialValues(table, initialization, seededRandom(1));
      expect(largest(a)).toBe(0);
      expect(deviation(b)).toBeCloseTo(1, 1);
    }
    expect(deviation(initialValues(table, false, seededRandom(1)).a)).toBeCloseTo(1, 1);
  });
  it('starts the bias of B at zero, and within 1/√rank for false', () => {
    expect(largest(initialBias(layer, 'default', seededRandom(1)))).toBe(0);
    const bias = initialBias(layer, false, seededRandom(1));
    expect(largest(bias)).toBeLessThanOrEqual(Math.fround(1 / Math.sqrt(50)));
    expect(deviation(bias)).toBeCloseTo(1 / Math.sqrt(50) / Math.sqrt(3), 2);
  });
});
