export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

/** To three places. */
export function round(x: number): number {
  return Math.round(x * 1000) / 1000;
}
