/**
 * The authors' draw: independent drops, then, while fewer than `rate` of the branches are dropped (a count, not FLOPs),
 * the kept branch of the highest rate is dropped too, the earliest of equals first. Nothing is taken back when more are.
 *
 * Source: `set_dropped_layers` of github WooSunghyeon/dropbp, commit 7170a63.
 */
export function referenceDraw(rates: readonly number[], uniforms: readonly number[], rate: number): boolean[] {
  const dropped = bernoulliDraw(rates, uniforms);
  let count = dropped.filter(Boolean).length;
  const highestFirst = rates.map((_, i) => i).sort((i, j) => rates[j]! - rates[i]!); // stable: equals keep their order
  for (const i of highestFirst) {
    if (count / rates.length >= rate) break;
    if (dropped[i]) continue;
    dropped[i] = true;
    count++;
  }
  return dropped;
}

/** Drops each branch on its own: `uniforms[i] < rates[i]`. */
export function bernoulliDraw(rates: readonly number[], uniforms: readonly number[]): boolean[] {
  return rates.map((rate, i) => uniforms[i]! < rate);
}
