import { sum } from '@dropbp/basics';
import type { AllocationInput } from './allocateRates.ts';

/** Where the authors' procedure came to rest. */
export interface ReferenceAllocation {
  /** One rate per branch: a float32 value. */
  readonly rates: number[];
  /** FLOPs that are still expected to run backward. */
  readonly left: number;
  /** FLOPs that may run backward. Below `left` only when every branch is at its cap. */
  readonly budgetLeft: number;
}

const step = 0.1;
const cap = 0.9;

/**
 * The authors' greedy allocation, bit for bit: every branch starts at `minRate`; as long as too many FLOPs run backward,
 * the branch whose `sensitivity · rate` would be least after its next step goes up by 0.1.
 *
 * The roundings are part of the algorithm: its ties and its cap (0.9000001 after nine steps from 0) follow from them.
 * Source: `allocate_p` of github WooSunghyeon/dropbp, commit 7170a63.
 */
export function referenceRates({ sensitivities, flops, rate, minRate }: AllocationInput): ReferenceAllocation {
  const budgetLeft = Math.trunc((1 - rate) * sum(flops));
  const s = sensitivities.map(Math.fround);
  const w = flops.map(Math.fround);
  const rates = s.map(() => Math.fround(minRate));
  const firstRate = step + minRate;
  // From here on each key goes down from its rounded self. Computing it anew would give other ties.
  const keys = s.map(value => Math.fround(-value * firstRate));
  const isOpen = s.map(() => true);
  let left = sum(w) * (1 - minRate);
  while (left > budgetLeft) {
    const i = lastLargest(keys, isOpen);
    if (i === undefined) break;
    rates[i] = Math.fround(rates[i]! + step);
    left -= w[i]! * step;
    if (rates[i] < cap) keys[i] = Math.fround(keys[i]! - step * s[i]!);
    else isOpen[i] = false;
  }
  return { rates, left, budgetLeft };
}

/**
 * The largest rate, to four digits, whose budget is met with `left` FLOPs still running backward; undefined if none but 0 is.
 * Not simply the cap: the budget is truncated to a whole number, which weighs when FLOPs are given as small ratios.
 */
export function reachableRate(left: number, flops: readonly number[]): number | undefined {
  const total = sum(flops);
  for (let i = Math.floor((1 - Math.ceil(left) / total) * 1e4); i > 0; i--) {
    if (Math.trunc((1 - i / 1e4) * total) >= left) return i / 1e4;
  }
  return undefined;
}

function lastLargest(keys: readonly number[], isOpen: readonly boolean[]): number | undefined {
  let best: number | undefined;
  for (let i = 0; i < keys.length; i++) if (isOpen[i] && (best === undefined || keys[i]! >= keys[best]!)) best = i;
  return best;
}
