// What this package computes is what the authors' code computed: see fixtures/README.md.
import { describe, expect, it } from 'vitest';
import { allocateRates, drawDropped, sensitivityFromNorms } from '../src/index.ts';
import { referenceRates } from '../src/rates/referenceRates.ts';
import { readFixture, type AllocationCase } from './readFixture.ts';

const toOptions = ({ sensitivities, flops, p, minRate }: AllocationCase) => ({
  sensitivities: sensitivities.map(Number),
  flops: flops.map(Number),
  rate: p,
  minRate,
});
const named = <Case extends { kind: string }>(cases: Case[]) =>
  cases.map((test, i) => ({ ...test, name: `${i} ${test.kind}` }));

describe('allocateRates', () => {
  const { cases, emptiesHeap, nonFinite } = readFixture('allocate_public');

  it.each(named(cases))('gives the rates of the authors: $name', test => {
    expect(allocateRates(toOptions(test))).toEqual(test.rates.map(Math.fround));
    expect(referenceRates(toOptions(test)).budgetLeft).toBe(test.target);
  });

  it.each(named(emptiesHeap.cases))('names the largest reachable rate where theirs fails: $name', test => {
    const options = toOptions(test);
    expect(referenceRates(options).rates).toEqual(test.portRatesWhenEmptied.map(Math.fround));
    if (test.p === 1) {
      expect(() => allocateRates(options)).toThrow('expected a number in [0, 1)');
      return;
    }
    const message = messageOf(() => allocateRates(options));
    expect(message).toMatch(/^\[@dropbp\/dropbp\] the rates cannot reach the budget, all at their caps; got 0\.\d+; /);
    const reachable = /expected rate to be at most ([\d.]+);/.exec(message)?.[1];
    if (test.target === 0 && options.flops.every(value => value <= 1)) {
      expect(message).toMatch(/at most 0|give flops as counts/);
    } else {
      expect(() => allocateRates({ ...options, rate: Number(reachable) })).not.toThrow();
      expect(() => allocateRates({ ...options, rate: Number(reachable) + 1e-3 })).toThrow('cannot reach');
    }
  });

  it.each(named(nonFinite.cases))('refuses what theirs takes: $name', test => {
    const options = { ...toOptions(test), rate: 0.5, minRate: 0 };
    expect(() => allocateRates(options)).toThrow(/(sensitivities|flops)\[\d\] is not usable; got (NaN|Infinity|-2);/);
  });
});

describe('drawDropped', () => {
  const { cases } = readFixture('draw_public');

  it.each(named(cases))('drops what the authors drop: $name', ({ rates, p, uniforms, bernoulli, dropped }) => {
    const draw = (method: 'reference' | 'bernoulli') => {
      const stream = uniforms.values();
      const drawn = drawDropped({ rates, rate: p, random: () => stream.next().value!, method });
      expect(stream.next().done).toBe(true);
      return drawn.map(Number);
    };
    expect(draw('reference')).toEqual(dropped);
    expect(draw('bernoulli')).toEqual(bernoulli);
  });
});

describe.each(['lora', 'full'] as const)('sensitivities of the golden model, %s', mode => {
  const golden = readFixture('golden_sensitivity');
  const { patterns, sensitivity } = golden[mode];
  const normsUnder = (drop: number[]): Map<string, number> => {
    const pattern = patterns.find(candidate => candidate.drop.join() === drop.join())!;
    return new Map(Object.entries(pattern.gradNorms).filter((entry): entry is [string, number] => entry[1] !== null));
  };
  const oneDropped = golden.model.flops.map((_, l) => golden.model.flops.map((_, i) => Number(i === l)));
  const base = normsUnder(golden.model.flops.map(() => 0));
  const computed = oneDropped.map(drop => sensitivityFromNorms({ base, dropped: normsUnder(drop) }));

  it('follow from the gradient norms', () => {
    computed.forEach((value, l) => expect(value / sensitivity.gradnorm[l]!).toBeCloseTo(1, 9));
  });

  it.each(sensitivity.rates)('give the rates at $p from $minRate', ({ p, minRate, rates }) => {
    for (const sensitivities of [sensitivity.gradnorm, computed]) {
      const options = { sensitivities, flops: golden.model.flops, rate: p, minRate };
      expect(allocateRates(options)).toEqual(rates.map(Math.fround));
    }
  });
});

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  return 'nothing was thrown';
}
