import { describe, expect, it } from 'vitest';
import { dropBP } from './dropBP.ts';
import type { DropBPOptions } from './dropBPOptions.ts';

const sensitivities = [1, 2, 3, 4];

describe('options of dropBP', () => {
  it.each<[DropBPOptions, DropBPOptions]>([
    [
      { rate: 0.5, allocation: { method: 'depth' } },
      { rate: 0.5, allocation: 'depth' },
    ],
    [{ rate: 0.5, allocation: {} }, { rate: 0.5 }],
    [
      { rate: 0.5, allocation: { method: 'minimax', minRate: 0.1, maxRate: 0.8, only: 'mlp', rescale: true } },
      { rate: 0.5, allocation: 'minimax', minRate: 0.1, maxRate: 0.8, only: 'mlp', rescale: true },
    ],
    [
      { rate: 0.5, allocation: { sampling: 'bernoulli' } },
      { rate: 0.5, sampling: 'bernoulli' },
    ],
    [
      { rate: 0.5, calibration: { sensitivities } },
      { rate: 0.5, sensitivities },
    ],
    [
      { rate: 0.5, calibration: { sensitivities, at: 0.3 } },
      { rate: 0.5, sensitivities, calibration: { at: 0.3 } },
    ],
    [
      { rate: 0.5, allocation: { method: 'reference' }, calibration: false },
      { rate: 0.5, allocation: 'reference', calibration: false },
    ],
  ])('in groups, %j, are those side by side', (grouped, flat) => {
    expect(dropBP(grouped).options).toEqual(dropBP(flat).options);
    expect(dropBP(grouped).start(branches).options).toEqual(dropBP(flat).start(branches).options);
  });

  it.each<[object, string]>([
    [{ rate: 0.5, allocation: { minRate: 0.1 }, minRate: 0.1 }, 'minRate is given twice; give it in allocation alone'],
    [{ rate: 0.5, calibration: { sensitivities }, sensitivities }, 'sensitivities is given twice'],
    [{ rate: 0.5, allocation: { rate: 0.5 } }, "allocation does not know the option 'rate'"],
    [{ rate: 0.5, allocation: { method: 'minmax' } }, "did you mean 'minimax'?"],
    [{ rate: 0.5, allocation: 3 }, 'allocation is unknown; got 3'],
    [{ rate: 0.5, calibration: { sensitivity: 1 } }, "did you mean 'sensitivities'?"],
    [{ rate: 0.5, calibration: 'often' }, 'calibration is not usable'],
    [
      { rate: 0.5, allocation: { method: 'depth', maxRate: 0.5 } },
      "maxRate would have no effect with allocation 'depth'",
    ],
  ])('%j are refused', (options, message) => {
    expect(() => dropBP(options)).toThrow(message);
  });
});

const branches = [1, 2, 1, 2].map((flops, i) => ({
  flops,
  kind: i % 2 === 0 ? ('attention' as const) : ('mlp' as const),
}));
