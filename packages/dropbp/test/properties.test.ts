import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '@dropbp/basics';
import {
  allocateRates,
  drawDropped,
  dropBP,
  stepCost,
  type AllocationMethod,
  type DropSchedule,
} from '../src/index.ts';

const exactMethods = ['minimax', 'quadratic', 'linear'] as const;
const allMethods = ['reference', ...exactMethods] as const;

// Grids, so that two numbers are either equal or differ by more than a rounding.
const sensitivity = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 5000 }), fc.constantFrom(1e-30, 1e-6, 1e20));
const flops = fc.oneof(fc.integer({ min: 1000, max: 400_000_000 }), fc.constant(0));
const branch = fc.record({ sensitivity, flops });
const branches = fc
  .array(branch, { minLength: 1, maxLength: 40 })
  .filter(list => list.some(({ flops }) => flops > 0))
  .map(list => ({ sensitivities: list.map(b => b.sensitivity), flops: list.map(b => b.flops) }));
const bounds = fc
  .tuple(fc.double({ min: 0, max: 0.8, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }))
  .map(([minRate, where]) => ({ minRate, rate: minRate + where * (0.89 - minRate) }));

const total = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
const weighed = (weights: readonly number[], rates: readonly number[]) =>
  total(rates.map((rate, i) => rate * weights[i]!));

describe.each(allMethods)('allocateRates, %s', method => {
  it('stays within its bounds and meets the budget', () => {
    fc.assert(
      fc.property(branches, bounds, (model, bound) => {
        const rates = allocateRates({ ...model, ...bound, method });
        const all = total(model.flops);
        const excess = weighed(model.flops, rates) / all - bound.rate;
        const isReference = method === 'reference';
        const rounding = isReference ? 1e-6 : 1e-12;
        const step = isReference ? (0.1 * Math.max(...model.flops) + 1) / all : 0;
        expect(Math.min(...rates)).toBeGreaterThanOrEqual(bound.minRate - rounding);
        expect(Math.max(...rates)).toBeLessThanOrEqual(isReference ? 1 : 0.9);
        expect(excess).toBeGreaterThanOrEqual(-rounding - 1 / all);
        expect(excess).toBeLessThanOrEqual(rounding + step);
      }),
    );
  });

  it('never drops the more sensitive of two branches more often', () => {
    fc.assert(
      fc.property(branches, bounds, (model, bound) => {
        const rates = allocateRates({ ...model, ...bound, method });
        // What the method weighs: sensitivity, or sensitivity per FLOP where FLOPs are traded against each other.
        const perFlop = method === 'quadratic' || method === 'linear';
        const price = model.sensitivities.map((s, i) =>
          perFlop ? (model.flops[i]! > 0 ? s / model.flops[i]! : Infinity) : s,
        );
        price.forEach((a, i) => {
          price.forEach((b, j) => {
            // A branch without FLOPs is dropped for nothing, however little that loses.
            if (a < b && model.flops[i]! > 0) expect(rates[i]!).toBeGreaterThanOrEqual(rates[j]!);
          });
        });
      }),
    );
  });

  it('raises no rate when the budget shrinks', () => {
    fc.assert(
      fc.property(branches, bounds, fc.double({ min: 0, max: 1, noNaN: true }), (model, { minRate, rate }, where) => {
        const more = allocateRates({ ...model, minRate, rate, method });
        const less = allocateRates({ ...model, minRate, rate: minRate + where * (rate - minRate), method });
        less.forEach((value, i) => expect(value).toBeLessThanOrEqual(more[i]! + 1e-9));
      }),
    );
  });

  it('looks at the ratios of sensitivities only', () => {
    fc.assert(
      fc.property(branches, bounds, fc.integer({ min: -20, max: 20 }), (model, bound, power) => {
        const scaled = model.sensitivities.map(s => s * 2 ** power);
        const rates = allocateRates({ ...model, ...bound, method });
        expect(allocateRates({ ...model, ...bound, sensitivities: scaled, method })).toEqual(rates);
      }),
    );
  });
});

describe('the exact methods', () => {
  const loss: Record<(typeof exactMethods)[number], (s: readonly number[], rates: readonly number[]) => number> = {
    minimax: (s, rates) => Math.max(...rates.map((rate, i) => rate * s[i]!)),
    quadratic: (s, rates) =>
      weighed(
        s,
        rates.map(rate => rate ** 2),
      ),
    linear: weighed,
  };

  it.each(exactMethods)('%s: nothing else with the same budget loses less', method => {
    fc.assert(
      fc.property(
        branches,
        bounds,
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 4, maxLength: 4 }),
        (model, bound, mix) => {
          const candidates = [
            ...exactMethods.map(other => allocateRates({ ...model, ...bound, method: other })),
            model.flops.map(() => bound.rate),
          ];
          const share = mix.map(value => value / (total(mix) || 1));
          candidates.push(
            model.flops.map((_, i) =>
              total(candidates.slice(0, 4).map((rates, k) => rates[i]! * (total(mix) > 0 ? share[k]! : 0.25))),
            ),
          );
          const least = loss[method](model.sensitivities, allocateRates({ ...model, ...bound, method }));
          for (const other of candidates)
            expect(least).toBeLessThanOrEqual(loss[method](model.sensitivities, other) * (1 + 1e-9) + 1e-300);
        },
      ),
    );
  });

  it('linear leaves at most one branch between its bounds', () => {
    fc.assert(
      fc.property(branches, bounds, (model, bound) => {
        const rates = allocateRates({ ...model, ...bound, method: 'linear' });
        expect(rates.filter(rate => rate !== bound.minRate && rate !== 0.9).length).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('minimax lies at most one step above the reference', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 2, maxLength: 40 }),
        fc.double({ min: 0.05, max: 0.85, noNaN: true }),
        (sensitivities, rate) => {
          const options = { sensitivities, flops: sensitivities.map(() => 1_000_000), rate };
          const greedy = allocateRates(options);
          allocateRates({ ...options, method: 'minimax' }).forEach((value, i) =>
            expect(value - greedy[i]!).toBeLessThan(0.1001),
          );
        },
      ),
    );
  });

  it('survive numbers at the ends of their range', () => {
    const wild = fc.double({ min: 0, max: 3.4e38, noNaN: true });
    fc.assert(
      fc.property(fc.array(fc.tuple(wild, wild), { minLength: 1, maxLength: 12 }), bounds, (list, bound) => {
        for (const method of exactMethods) {
          const rates = allocateRates({
            sensitivities: list.map(b => b[0]),
            flops: list.map(b => b[1]),
            ...bound,
            method,
          });
          for (const rate of rates) expect(rate >= bound.minRate && rate <= 0.9).toBe(true);
        }
      }),
    );
  });
});

const rate = fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0, 0.5, 0.9000001, 1));
const ratesAndFlops = fc
  .array(fc.tuple(rate, flops), { minLength: 1, maxLength: 40 })
  .map(list => ({ rates: list.map(b => b[0]), flops: list.map(b => b[1]) }));
const seed = fc.integer({ min: 0, max: 2 ** 32 - 1 });

describe('drawDropped', () => {
  it('reference: drops at least the asked share of branches, and every branch that independent drops would', () => {
    fc.assert(
      fc.property(ratesAndFlops, rate, seed, ({ rates }, asked, n) => {
        const dropped = drawDropped({ rates, rate: asked, random: seededRandom(n) });
        const independent = drawDropped({ rates, rate: asked, random: seededRandom(n), method: 'bernoulli' });
        const [count, before] = [dropped, independent].map(list => list.filter(Boolean).length) as [number, number];
        expect(count / rates.length).toBeGreaterThanOrEqual(asked);
        independent.forEach((value, i) => expect(dropped[i]! || !value).toBe(true));
        // Not one more than was missing.
        if (count > before) expect((count - 1) / rates.length).toBeLessThan(asked);
      }),
    );
  });

  it('pivotal: the FLOPs of every draw lie within one branch of their mean', () => {
    fc.assert(
      fc.property(ratesAndFlops, seed, ({ rates, flops }, n) => {
        const dropped = drawDropped({ rates, rate: 0.5, random: seededRandom(n), method: 'pivotal', flops });
        const off = weighed(flops, dropped.map(Number)) - weighed(flops, rates);
        expect(Math.abs(off)).toBeLessThanOrEqual(Math.max(...flops) + 1e-9 * total(flops));
      }),
      { numRuns: 500 },
    );
  });

  it('pivotal: keeps something trainable in every draw, where the rates allow it', () => {
    const model = fc.array(
      fc.record({ rate, flops: fc.integer({ min: 1, max: 400 }), trained: fc.boolean() }),
      { minLength: 1, maxLength: 20 },
    ); // prettier-ignore
    fc.assert(
      fc.property(model, seed, (list, n) => {
        const own = list.filter(({ trained }) => trained);
        fc.pre(own.length > 0);
        const kept = total(own.map(({ rate, flops }) => (1 - rate) * flops));
        fc.pre(kept >= Math.max(...own.map(({ flops }) => flops)) + 1e-9);
        const dropped = drawDropped({
          rates: list.map(({ rate }) => rate),
          flops: list.map(({ flops }) => flops),
          trained: list.map(({ trained }) => trained),
          rate: 0.5,
          random: seededRandom(n),
          method: 'pivotal',
        });
        expect(list.some(({ trained }, i) => trained && !dropped[i])).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it.each(['bernoulli', 'pivotal'] as const)('%s: drops each branch exactly as often as its rate says', method => {
    const rates = [0.1, 0.9, 0.3, 0.5, 0.5, 0.72, 0.05, 1, 0, 0.35];
    const flops = [142, 270, 142, 270, 142, 270, 142, 270, 142, 0];
    const draws = 20_000;
    const counts = rates.map(() => 0);
    const random = seededRandom(1);
    const trained = rates.map((_, i) => i % 3 !== 0);
    for (let n = 0; n < draws; n++) {
      drawDropped({ rates, rate: 0.5, random, method, flops, trained }).forEach(
        (value, i) => (counts[i]! += Number(value)),
      );
    }
    // Four standard deviations; at rates 0 and 1 none.
    rates.forEach((p, i) =>
      expect(Math.abs(counts[i]! / draws - p)).toBeLessThanOrEqual(4 * Math.sqrt((p * (1 - p)) / draws)),
    );
  });

  it('pivotal: neighbours are dropped together, too', () => {
    const random = seededRandom(2);
    const seen = new Set<string>();
    for (let n = 0; n < 500; n++) {
      const rates = [0.5, 0.5, 0.5, 0.5];
      seen.add(drawDropped({ rates, rate: 0.5, random, method: 'pivotal' }).map(Number).join(''));
    }
    expect([...seen].sort()).toEqual(['0011', '0101', '0110', '1001', '1010', '1100']);
  });

  it('reference: with equal rates the top-up lands on the first branches', () => {
    // Known of the authors' code: 0.75 for the first and 0.5 for the last of 24 branches at 0.5.
    const random = seededRandom(3);
    const draws = 4000;
    const counts = Array.from({ length: 24 }, () => 0);
    for (let n = 0; n < draws; n++) {
      drawDropped({ rates: counts.map(() => 0.5), rate: 0.5, random }).forEach(
        (value, i) => (counts[i]! += Number(value)),
      );
    }
    expect(Math.abs(counts[0]! / draws - 0.75)).toBeLessThan(0.03);
    expect(Math.abs(counts[23]! / draws - 0.5)).toBeLessThan(0.03);
    expect(Math.abs(total(counts) / draws / 24 - 0.54)).toBeLessThan(0.01);
  });
});

const drawAll = (schedule: DropSchedule, steps: readonly number[]) => steps.map(step => schedule.draw(step));
const policy = fc.record({
  rate: fc.double({ min: 0.01, max: 0.89, noNaN: true }),
  allocation: fc.constantFrom<AllocationMethod>(...allMethods),
  sampling: fc.constantFrom('reference' as const, 'bernoulli' as const, 'pivotal' as const),
  schedule: fc.record({
    warmup: fc.double({ min: 0, max: 0.5, noNaN: true }),
    ramp: fc.double({ min: 0.01, max: 0.5, noNaN: true }),
    from: fc.double({ min: 0, max: 0.89, noNaN: true }),
  }),
  seed,
});

describe('dropBP', () => {
  it('draws by seed and step alone, also after a restart from a checkpoint', () => {
    fc.assert(
      fc.property(
        policy,
        branches,
        fc.uniqueArray(fc.nat(), { minLength: 1, maxLength: 5 }),
        (options, model, steps) => {
          const start = () => dropBP(options).start(model.flops.map(flops => ({ flops })));
          const [first, second, resumed] = [start(), start(), start()];
          for (const schedule of [first, second]) schedule.plan(2 ** 31);
          expect(drawAll(first, steps)).toEqual(drawAll(second, [...steps].reverse()).reverse());
          first.calibrate(model.sensitivities);
          resumed.restore(JSON.parse(JSON.stringify(first.state)));
          expect(drawAll(resumed, steps)).toEqual(drawAll(first, steps));
          expect(resumed.state).toEqual(first.state);
        },
      ),
    );
  });

  it('draws anew in each step and for each seed', () => {
    const draws = (seed: number) => {
      const schedule = dropBP({ rate: 0.5, seed, calibration: false }).start(
        Array.from({ length: 32 }, () => ({ flops: 1e6 })),
      );
      return Array.from({ length: 20 }, (_, step) => schedule.draw(step).map(Number).join(''));
    };
    expect(new Set([...draws(1), ...draws(2)]).size).toBe(40);
  });

  it('keeps calibration within the run', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.integer({ min: 1, max: 1e9 }),
        (at, totalSteps) => {
          const step = dropBP({ rate: 0.5, calibration: { at } })
            .start([{ flops: 1e6 }])
            .calibrationStep(totalSteps);
          expect(step ?? 0).toBeLessThan(totalSteps);
        },
      ),
    );
  });
});

describe('stepCost', () => {
  it('falls from 1 to the cost of the forward pass', () => {
    fc.assert(
      fc.property(rate, rate, fc.constantFrom(1 as const, 2 as const), (a, b, backward) => {
        const [less, more] = [Math.min(a, b), Math.max(a, b)];
        const cost = stepCost({ rate: more, backward });
        expect(cost).toBeLessThanOrEqual(stepCost({ rate: less, backward }));
        expect(cost).toBeGreaterThanOrEqual(1 / (1 + backward));
        expect(cost).toBeLessThanOrEqual(1);
      }),
    );
  });
});
