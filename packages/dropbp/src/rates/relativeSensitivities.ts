/** Sensitivities as shares of the largest, so that dividing by them overflows only where they count as zero. */
export function relativeSensitivities(sensitivities: readonly number[]): number[] {
  const largest = sensitivities.reduce((most, value) => Math.max(most, value), 0);
  return sensitivities.map(value => (value / largest > 1e-200 ? value / largest : 0));
}
