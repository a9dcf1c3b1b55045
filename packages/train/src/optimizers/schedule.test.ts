import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { constant, cosine, linear } from '../index.ts';

const total = fc.integer({ min: 1, max: 1000 });
const minimum = fc.double({ min: 0, max: 1, noNaN: true });
const warmupSteps = fc.integer({ min: 0, max: 1000 });

describe.each([
  ['cosine', cosine],
  ['linear', linear],
])('%s', (_, make) => {
  it('rises to 1 in the warm-up, then falls, never below the minimum', () => {
    fc.assert(
      fc.property(total, minimum, warmupSteps, (steps, least, warmup) => {
        const factor = make({ warmupSteps: warmup, minimum: least });
        const factors = Array.from({ length: steps }, (_, step) => factor(step, steps));
        factors.forEach((value, step) => {
          if (step < warmup) expect(value).toBe(step / warmup);
          else {
            expect(value).toBeGreaterThanOrEqual(least - 1e-12);
            expect(value).toBeLessThanOrEqual(step === warmup ? 1 : factors[step - 1]!);
          }
        });
      }),
    );
  });
  it('ends at the minimum', () => {
    expect(make({ minimum: 0.25 })(8, 8)).toBeCloseTo(0.25, 12);
    expect(make()(4, 8)).toBeCloseTo(0.5, 12);
  });
  it('refuses options that it cannot use', () => {
    expect(() => make({ minimum: 1.5 })).toThrow('minimum is not usable; got 1.5; expected a number in [0, 1]');
    expect(() => make({ warmupSteps: -1 })).toThrow('warmupSteps is not usable; got -1');
    expect(() => make({ warmup: 1 } as never)).toThrow("did you mean 'warmupSteps'?");
  });
});

describe('constant', () => {
  it('is 1, after a warm-up', () => {
    expect([0, 1, 2, 3].map(step => constant({ warmupSteps: 2 })(step, 4))).toEqual([0, 0.5, 1, 1]);
    expect(constant()(0, 1)).toBe(1);
    expect(() => constant({ minimum: 0.1 } as never)).toThrow('constant() does not know the option');
  });
});
