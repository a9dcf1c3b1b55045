/** A peak of memory at a length of the sequence. */
export interface PeakAt {
  readonly time: number;
  readonly peakMB: number;
}

/**
 * The longest sequence that fits into a memory, where the straight line through two shorter ones meets it.
 *
 * @param limit - in MiB
 * @param multiple - of which the length shall be one, downwards
 */
export function longestSequence(shorter: PeakAt, longer: PeakAt, limit: number, multiple: number): number {
  const slope = (longer.peakMB - shorter.peakMB) / (longer.time - shorter.time);
  return Math.floor((longer.time + (limit - longer.peakMB) / slope) / multiple) * multiple;
}
