import { checkNumber, checkOptions, isObject, problem } from '@dropbp/basics';

/** How the backward pass of a kept branch is scaled up. */
export interface Rescale {
  /**
   * The largest factor, ≥ 1. At a rate of 0.9 the exact one is 10, on a gradient that comes once in ten steps. @defaultValue 4
   */
  readonly max?: number;
}

/** @throws Problem on what is neither a boolean nor options of it */
export function readRescale(rescale: unknown): Required<Rescale> | undefined {
  if (rescale === undefined || rescale === false) return undefined;
  if (rescale === true) return Object.freeze({ max: 4 });
  if (!isObject(rescale)) {
    throw problem('dropbp', { what: 'rescale is not usable', got: rescale, expected: 'true, false or { max }' });
  }
  checkOptions('dropbp', 'rescale', rescale, ['max']);
  const { max = 4 } = rescale as Rescale;
  checkNumber('dropbp', 'rescale.max', max, { accepts: v => v >= 1 && v < Infinity, expected: 'a number ≥ 1' });
  return Object.freeze({ max });
}

/** 1 / (1 − rate), capped. */
export function gradientScale(rate: number, { max }: Required<Rescale>): number {
  return Math.min(max, 1 / (1 - rate));
}
