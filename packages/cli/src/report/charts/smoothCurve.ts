/**
 * What a noisy curve tends to: at each place the value of the straight line that fits the values around it best, and no larger or smaller than all of them.
 * Unlike a running mean it neither lags behind nor bends towards the ends.
 *
 * @param span - values that are looked at
 */
export function smoothCurve(values: readonly number[], span: number): number[] {
  const half = Math.max(0, Math.floor((span - 1) / 2));
  return values.map((value, i) => {
    const start = Math.max(0, i - half);
    const around = values.slice(start, i + half + 1);
    if (around.length < 3) return value;
    const [meanX, meanY] = [(around.length - 1) / 2, mean(around)];
    const products = around.map((y, x) => (x - meanX) * (y - meanY));
    const squares = around.map((_, x) => (x - meanX) ** 2);
    const slope = mean(products) / mean(squares);
    const fitted = meanY + slope * (i - start - meanX);
    return Math.min(Math.max(...around), Math.max(Math.min(...around), fitted));
  });
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
