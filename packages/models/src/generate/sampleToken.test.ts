import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '@dropbp/basics';
import { argMax, sampleToken, type Sampling } from './sampleToken.ts';

const logits = Float32Array.from([0.4, 0.3, 0.2, 0.1], Math.log);

/** How often each token is drawn, for numbers spread evenly over [0, 1). */
function shares(sampling: Sampling, values = logits): number[] {
  const draws = 10_000;
  const counts = new Array<number>(values.length).fill(0);
  for (let i = 0; i < draws; i++) counts[sampleToken(values, sampling, () => i / draws)]! += 1 / draws;
  return counts.map(count => Math.round(count * 100) / 100);
}

describe('sampleToken', () => {
  it('takes the first of the most probable at temperature 0', () => {
    expect(sampleToken(Float32Array.of(1, 3, 3, 2), { temperature: 0 }, () => 0.99)).toBe(1);
  });
  it('draws by probability at temperature 1', () => {
    expect(shares({ temperature: 1 })).toEqual([0.4, 0.3, 0.2, 0.1]);
  });
  it('sharpens or flattens with the temperature', () => {
    // p^(1/T), normalised: T = 0.5 squares the probabilities.
    expect(shares({ temperature: 0.5 })).toEqual([0.53, 0.3, 0.13, 0.03]);
    expect(shares({ temperature: 1e9 })).toEqual([0.25, 0.25, 0.25, 0.25]);
  });
  it('keeps the k most probable', () => {
    expect(shares({ temperature: 1, topK: 2 })).toEqual([0.57, 0.43, 0, 0]);
    expect(shares({ temperature: 1, topK: 9 })).toEqual([0.4, 0.3, 0.2, 0.1]);
    expect(shares({ temperature: 1, topK: 1 })).toEqual([1, 0, 0, 0]);
  });
  it('keeps the most probable that add up to p, the one that crosses it included', () => {
    expect(shares({ temperature: 1, topP: 0.65 })).toEqual([0.57, 0.43, 0, 0]);
    expect(shares({ temperature: 1, topP: 0.75 })).toEqual([0.44, 0.33, 0.22, 0]);
    expect(shares({ temperature: 1, topP: 0.01 })).toEqual([1, 0, 0, 0]);
    expect(shares({ temperature: 1, topP: 1 })).toEqual([0.4, 0.3, 0.2, 0.1]);
  });
  it('measures p within the k, after the temperature', () => {
    // Of 0.4, 0.3, 0.2 the first makes 0.444: below 0.5, so that the second is kept too.
    expect(shares({ temperature: 1, topK: 3, topP: 0.5 })).toEqual([0.57, 0.43, 0, 0]);
    // Squared and normalised the first makes 0.533 of all.
    expect(shares({ temperature: 0.5, topP: 0.5 })).toEqual([1, 0, 0, 0]);
  });
  it('keeps ties', () => {
    expect(shares({ temperature: 1, topK: 1 }, Float32Array.of(1, 0, 1))).toEqual([0.5, 0, 0.5]);
  });
  it('gives the same tokens for the same seed, and never one of no probability', () => {
    const values = Float32Array.of(0, -Infinity, 2, 1e30, -1e30);
    fc.assert(
      fc.property(fc.integer(), fc.double({ min: 0.01, max: 100, noNaN: true }), (seed, temperature) => {
        const [a, b] = [seededRandom(seed), seededRandom(seed)];
        const token = sampleToken(values, { temperature }, a);
        expect(sampleToken(values, { temperature }, b)).toBe(token);
        expect(token).toBe(3);
      }),
    );
  });
  it('draws the last token that has a probability for the largest number below 1', () => {
    fc.assert(
      fc.property(fc.array(fc.float({ min: -20, max: 20, noNaN: true }), { minLength: 1 }), values => {
        const token = sampleToken(Float32Array.from(values), { temperature: 1, topP: 0.9 }, () => 1 - 2 ** -32);
        expect(values[token]).toBeDefined();
      }),
    );
  });
});

describe('argMax', () => {
  it('finds the first of the largest', () => {
    expect(argMax(Float32Array.of(-3, -1, -2, -1))).toBe(1);
  });
});
