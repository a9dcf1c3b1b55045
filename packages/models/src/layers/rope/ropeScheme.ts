import type { RopeFrequencies } from '@dropbp/core';

/** How positions are encoded: at which speed each two values of a head turn. */
export interface RopeScheme {
  /**
   * The angle of each two values at position 1.
   *
   * @param length - of the text, in tokens
   */
  readonly frequencies: (length: number) => RopeFrequencies;
  /** Factor on the tables of cosines and sines. */
  readonly tableScale: number;
  /** Texts of more tokens than this have other frequencies. @defaultValue all have the same */
  readonly changesBeyond?: number;
  /** Tokens of the longest text, where that is more than the model's positions. */
  readonly longest?: number;
}

/** Frequencies that are the same for texts of all lengths. */
export function fixedRope(frequencies: RopeFrequencies, tableScale: number = 1): RopeScheme {
  return { frequencies: () => frequencies, tableScale };
}

/**
 * Frequencies without a scaling, rounded as transformers does, in float32: at position 8000 one unit in the last place is 5e-4
 * of an angle.
 *
 * @param turned - values of a head that turn
 */
export function plainFrequencies(theta: number, turned: number): RopeFrequencies {
  return periods(theta, turned).map(period => Math.fround(1 / period));
}

/** One over the plain frequencies, in float32. */
export function periods(theta: number, turned: number): number[] {
  return Array.from({ length: turned / 2 }, (_, i) => Math.fround(Math.fround(theta) ** Math.fround((2 * i) / turned)));
}
