import { dropBP, type DropBPOptions } from '@dropbp/dropbp';
import { describe, expect, it } from 'vitest';
import { leastShare } from './leastShare.ts';

const costs = [1, 3, 1, 3];

describe('leastShare', () => {
  it.each<[DropBPOptions, number]>([
    [{ rate: 0.5 }, 0.25],
    [{ rate: 0.25 }, 0],
    // The two cheapest of four.
    [{ rate: 0.5, allocation: 'reference' }, 0.25],
    [{ rate: 0.6, allocation: 'reference' }, 0.6],
    [{ rate: 0.5, sampling: 'pivotal' }, 0.5],
    [{ rate: 0.5, sampling: 'bernoulli' }, 0],
    [{ rate: 0.5, allocation: 'depth', sampling: 'bernoulli' }, 0],
    [{ rate: 0.5, allocation: 'linear', sampling: 'nested' }, 0],
    [{ rate: 0.5, schedule: { warmup: 0.1 } }, 0],
    [{ rate: 0.75, sampling: 'pivotal', schedule: { ramp: 0.5, from: 0.25 } }, 0.25],
    [{ rate: 0.25, sampling: 'pivotal', schedule: { ramp: 0.5, from: 0.75 } }, 0.25],
  ])('of %j is %d', (options, share) => {
    const schedule = dropBP(options).start(costs.map(flops => ({ flops })));
    expect(leastShare(schedule, options.rate!, costs)).toBe(share);
  });
  it('is what the authors drop at least', () => {
    const schedule = dropBP({ rate: 0.5, allocation: 'reference', sensitivities: [0, 9, 0, 9] }).start(
      costs.map(flops => ({ flops })),
    );
    const shares = Array.from({ length: 2000 }, (_, step) =>
      schedule.draw(step).reduce((sum, isDropped, i) => sum + (isDropped ? costs[i]! : 0) / 8, 0),
    );
    expect(Math.min(...shares)).toBe(leastShare(schedule, 0.5, costs));
  });
  it('is nothing without DropBP', () => {
    expect(leastShare(undefined, 0, costs)).toBe(0);
  });
});
