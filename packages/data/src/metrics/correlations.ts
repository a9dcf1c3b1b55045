import { problem } from '@dropbp/basics';

/**
 * Pearson's correlation of two lists of numbers, in [-1, 1]; NaN if all numbers of a list are equal.
 *
 * @throws Problem if the lists differ in length, hold fewer than two numbers, or a value that is not finite
 */
export function pearson(a: readonly number[], b: readonly number[]): number {
  checkLists('pearson()', a, b);
  return correlationOf(a, b);
}

/**
 * Spearman's correlation of two lists of numbers: Pearson's of their ranks, where equal numbers share their mean rank.
 * In [-1, 1]; NaN if all numbers of a list are equal.
 *
 * @throws Problem as {@link pearson}
 */
export function spearman(a: readonly number[], b: readonly number[]): number {
  checkLists('spearman()', a, b);
  return correlationOf(ranksOf(a), ranksOf(b));
}

function correlationOf(a: readonly number[], b: readonly number[]): number {
  // Values of a constant list may differ from their mean by rounding alone.
  if (isConstant(a) || isConstant(b)) return NaN;
  const [da, db] = [deviations(a), deviations(b)];
  const product = productOf(da, db);
  return Math.max(-1, Math.min(1, product / Math.sqrt(productOf(da, da)) / Math.sqrt(productOf(db, db))));
}

function productOf(a: readonly number[], b: readonly number[]): number {
  return a.reduce((total, value, i) => total + value * b[i]!, 0);
}

function isConstant(values: readonly number[]): boolean {
  return values.every(value => value === values[0]);
}

function deviations(values: readonly number[]): number[] {
  const mean = values.reduce((total, value) => total + value / values.length, 0);
  return values.map(value => value - mean);
}

function ranksOf(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((i, j) => values[i]! - values[j]!);
  const ranks = new Array<number>(values.length);
  for (let start = 0, end = 0; start < order.length; start = end) {
    while (end < order.length && values[order[end]!] === values[order[start]!]) end++;
    for (let at = start; at < end; at++) ranks[order[at]!] = (start + end - 1) / 2;
  }
  return ranks;
}

function checkLists(name: string, a: readonly number[], b: readonly number[]): void {
  if (a.length !== b.length || a.length < 2) {
    throw problem('data', {
      what: `${name}: the lists do not pair up`,
      got: `${a.length} and ${b.length} numbers`,
      expected: 'two lists of one length, with at least two numbers',
    });
  }
  for (const value of [...a, ...b]) {
    if (Number.isFinite(value)) continue;
    throw problem('data', { what: `${name}: a value is not usable`, got: value, expected: 'finite numbers' });
  }
}
