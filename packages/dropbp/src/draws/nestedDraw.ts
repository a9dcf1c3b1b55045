import { seededRandom } from '@dropbp/basics';

/** Drops all branches whose rate is above one number: of two branches the one of the higher rate is dropped whenever the other is. */
export function nestedDraw(rates: readonly number[], uniform: number): boolean[] {
  return rates.map(rate => uniform < rate);
}

const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;

/**
 * The number of a step, in [0, 1): those of successive steps lie apart from each other, so that a few steps together drop
 * nearly what the rates say. They go on from a start that follows from the seed by the golden ratio.
 *
 * Source: Weyl's sequence, see Kuipers and Niederreiter, Uniform Distribution of Sequences, 1974.
 */
export function evenUniform(seed: number, step: number): number {
  return (seededRandom(seed)() + step * GOLDEN_RATIO) % 1;
}
