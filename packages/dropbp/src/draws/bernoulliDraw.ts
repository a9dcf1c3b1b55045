/** Drops each branch on its own: `uniforms[i] < rates[i]`. */
export function bernoulliDraw(rates: readonly number[], uniforms: readonly number[]): boolean[] {
  return rates.map((rate, i) => uniforms[i]! < rate);
}
