import { dropBP, type DropBPOptions } from '@dropbp/dropbp';
import { describe, expect, it } from 'vitest';
import { leastShare } from './leastShare.ts';

describe('leastShare', () => {
  it.each<[DropBPOptions, number]>([
    [{ rate: 0.5 }, 0.25],
    [{ rate: 0.25 }, 0],
    [{ rate: 0.5, allocation: 'reference' }, 0.5],
    [{ rate: 0.5, sampling: 'pivotal' }, 0.5],
    [{ rate: 0.5, sampling: 'bernoulli' }, 0],
    [{ rate: 0.5, allocation: 'depth', sampling: 'bernoulli' }, 0],
    [{ rate: 0.5, allocation: 'linear', sampling: 'nested' }, 0],
  ])('of %j is %d', (options, share) => {
    const schedule = dropBP(options).start([{ flops: 1 }, { flops: 1 }, { flops: 1 }, { flops: 1 }]);
    expect(leastShare(schedule, options.rate!)).toBe(share);
  });
  it('is nothing without DropBP', () => {
    expect(leastShare(undefined, 0)).toBe(0);
  });
});
