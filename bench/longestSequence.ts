/** A peak of memory at a length of the sequence. */
export interface PeakAt {
  readonly time: number;
  readonly peakMB: number;
}

/**
 * The longest sequence that was measured to fit into a memory: where the straight line through two shorter ones meets it and, as
 * peaks grow faster than that, on the line to what did not fit.
 *
 * @param limit - in MiB
 * @param multiple - of which the length shall be one, downwards
 */
export function longestSequence<Measured extends PeakAt>(
  shorter: Measured,
  longer: Measured,
  measure: (time: number) => Measured,
  limit: number,
  multiple: number,
): Measured {
  const crossing = (from: PeakAt, to: PeakAt): number => {
    const slope = (to.peakMB - from.peakMB) / (to.time - from.time);
    return Math.floor((to.time + (limit - to.peakMB) / slope) / multiple) * multiple;
  };
  const fitting = longer.peakMB > limit ? shorter : longer;
  let longest = measure(crossing(shorter, longer));
  while (longest.peakMB > limit) {
    const next = crossing(fitting, longest);
    longest = measure(next < longest.time ? next : longest.time - multiple);
  }
  return longest;
}
