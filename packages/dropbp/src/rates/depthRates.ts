import { checkNumber, ranges, sum } from '@dropbp/basics';

/** What {@link depthRates} takes. */
export interface DepthInput {
  /** FLOPs of each branch, from the first to the last. */
  readonly flops: readonly number[];
  /** Σ flops · rate of the branches. */
  readonly budget: number;
  /** FLOPs that a draw may drop at most: those in front of the last branch that is trained. */
  readonly most: number;
}

/**
 * How far the cut moves, as a share of what is kept on average: no step keeps more than 1.5 times the mean, nor less than half of
 * it, but for the branch that the cut lies in, which bounds memory and time. A cut that moves as far as it can loses as much (bench/results).
 */
const SPREAD = 0.5;

/**
 * Rates that fall from the first branch to the last, for draws that are nested: a step then drops all branches in front of a
 * cut and keeps all behind it. The cut lies anywhere between two depths with the same probability. The budget is met exactly.
 *
 * No branch that is dropped lies behind one that is kept. So what reaches a kept branch is its exact gradient, where other
 * draws leave out what came through dropped branches; and in front of the cut nothing at all runs backward.
 */
export function depthRates({ flops, budget, most }: DepthInput): number[] {
  const all = sum(flops);
  const latest = Math.min(2 * budget, most, budget + SPREAD * (all - budget));
  const earliest = 2 * budget - latest;
  /** Mean FLOPs in front of the cut, of the first `depth`: the integral of the chance that the cut lies behind. */
  const droppedUpTo = (depth: number): number => {
    if (depth <= earliest) return depth;
    if (depth >= latest) return budget;
    return depth - (depth - earliest) ** 2 / (2 * (latest - earliest));
  };
  let depth = 0;
  return flops.map(own => {
    const before = droppedUpTo(depth);
    depth += own;
    const rate = own === 0 ? 0 : (droppedUpTo(depth) - before) / own;
    return Math.min(1, Math.max(0, rate));
  });
}

/**
 * The share that every draw of `allocation: 'depth'` drops at least, at a rate, but for the branch that the cut lies in, which is kept: what a
 * step's memory follows from.
 *
 * @param rate - in [0, 1]
 * @throws Problem for another
 */
export function leastDropped(rate: number): number {
  checkNumber('dropbp', 'rate', rate, ranges.share);
  return Math.max(0, rate - SPREAD * (1 - rate));
}
