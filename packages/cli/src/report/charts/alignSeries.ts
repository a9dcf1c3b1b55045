/** Values over ascending positions. */
export interface Curve {
  readonly x: readonly number[];
  readonly y: readonly number[];
}

/**
 * Curves over one common x axis: the x values, then a column per curve, null where a curve has no value.
 * Curves longer than `maxPoints` are averaged in groups of neighbours, all with the same group size so that they still
 * share positions.
 */
export function alignSeries(curves: readonly Curve[], maxPoints: number): (number | null)[][] {
  const longest = Math.max(0, ...curves.map(curve => curve.x.length));
  const size = Math.ceil(longest / maxPoints) || 1;
  const thinned = curves.map(curve => thin(curve, size));
  const xs = [...new Set(thinned.flatMap(curve => curve.x))].sort((a, b) => a - b);
  const columns = thinned.map(curve => {
    const values = new Map(curve.x.map((x, i) => [x, finite(curve.y[i]!)]));
    return xs.map(x => values.get(x) ?? null);
  });
  return [xs, ...columns];
}

function thin({ x, y }: Curve, size: number): Curve {
  if (size === 1) return { x, y };
  const starts = Array.from({ length: Math.ceil(x.length / size) }, (_, i) => i * size);
  return {
    x: starts.map(start => x[Math.min(start + size, x.length) - 1]!),
    y: starts.map(start => {
      const group = y.slice(start, start + size);
      return group.reduce((sum, value) => sum + value, 0) / group.length;
    }),
  };
}

/** JSON has no NaN: a loss that is not a number is a gap in the curve. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? Number(value.toPrecision(6)) : null;
}
