import { problem } from '@dropbp/basics';

/** Refuses what is not a whole number ≥ 1. */
export function checkCount(name: string, value: unknown): void {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1) return;
  throw problem('data', { what: `${name} is not usable`, got: value, expected: 'an integer ≥ 1' });
}
