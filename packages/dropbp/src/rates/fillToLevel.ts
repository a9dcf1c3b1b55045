/** What `fillToLevel` solves. */
export interface LevelInput {
  /** How fast each branch's rate rises with the level: ≥ 0; Infinity for a branch without which nothing is lost. */
  readonly slopes: readonly number[];
  readonly flops: readonly number[];
  /** Σ flops · rate that the rates must add up to. */
  readonly budget: number;
  readonly minRate: number;
  readonly maxRate: number;
}

/**
 * The rates `clip(level · slope, minRate, maxRate)` at the one level where Σ flops · rate is the budget.
 * Branches of infinite slope come first: they share one rate, and the others leave `minRate` only when those are full. A branch
 * without FLOPs adds nothing to the budget, so it is not worth any sensitivity, and stays at `minRate`.
 *
 * The sum is piecewise linear in the level, so the level is found between two of its corners, without iteration.
 */
export function fillToLevel({ slopes: given, flops, budget, minRate, maxRate }: LevelInput): number[] {
  const slopes = given.map((slope, i) => (flops[i] === 0 ? 0 : slope));
  const isFree = slopes.map(slope => slope === Infinity);
  const freeFlops = sumWhere(flops, isFree);
  const restFlops = sumWhere(
    flops,
    isFree.map(free => !free),
  );
  const forFree = budget - restFlops * minRate;
  if (forFree <= freeFlops * maxRate && isFree.includes(true)) {
    const freeRate = clip(forFree / freeFlops, minRate, maxRate);
    return isFree.map(free => (free ? freeRate : minRate));
  }
  const rateAt = (i: number, level: number): number =>
    isFree[i] ? maxRate : slopes[i]! > 0 ? clip(level * slopes[i]!, minRate, maxRate) : minRate;
  const level = findLevel(
    slopes.map((slope, i) => ({ slope, flops: flops[i]! })).filter(({ slope }) => slope > 0 && slope < Infinity),
    budget -
      freeFlops * maxRate -
      sumWhere(
        flops,
        slopes.map(slope => slope === 0),
      ) *
        minRate,
    minRate,
    maxRate,
  );
  return slopes.map((_, i) => rateAt(i, level));
}

interface Rising {
  readonly slope: number;
  readonly flops: number;
}

function findLevel(branches: readonly Rising[], budget: number, minRate: number, maxRate: number): number {
  const spent = (level: number, among: readonly Rising[]): number =>
    among.reduce((total, { slope, flops }) => total + flops * clip(level * slope, minRate, maxRate), 0);
  const corners = branches.flatMap(({ slope }) => [minRate / slope, maxRate / slope]).sort((x, y) => x - y);
  const corner = corners.findLast(level => spent(level, branches) <= budget) ?? corners[0] ?? 0;
  const isRising = ({ slope }: Rising): boolean => minRate / slope <= corner && corner < maxRate / slope;
  const rising = branches.filter(isRising);
  const fixed = branches.filter(branch => !isRising(branch));
  const steepness = rising.reduce((total, { slope, flops }) => total + slope * flops, 0);
  return steepness > 0 ? Math.max(corner, (budget - spent(corner, fixed)) / steepness) : corner;
}

function clip(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}

function sumWhere(values: readonly number[], isCounted: readonly boolean[]): number {
  return values.reduce((total, value, i) => (isCounted[i] ? total + value : total), 0);
}

/** Sensitivities as shares of the largest, so that dividing by them overflows only where they count as zero. */
export function relativeSensitivities(sensitivities: readonly number[]): number[] {
  const largest = sensitivities.reduce((most, value) => Math.max(most, value), 0);
  return sensitivities.map(value => (value / largest > 1e-200 ? value / largest : 0));
}
