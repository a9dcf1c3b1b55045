/** A peak of memory at a length of the sequence. */
export interface PeakAt {
  readonly time: number;
  readonly peakMB: number;
}

/** The share of the memory that a longest sequence may leave unused. */
const SPARE = 0.02;

/**
 * The longest sequence that was measured to fit into a memory and leaves next to nothing of it, or beside which the next longer one
 * does not fit: looked for where the straight line through the two measured peaks nearest to the limit meets it.
 *
 * @param limit - in MiB
 * @param multiple - of which the length shall be one
 */
export function longestSequence<Measured extends PeakAt>(
  shorter: Measured,
  longer: Measured,
  measure: (time: number) => Measured,
  limit: number,
  multiple: number,
): Measured {
  const measured = [shorter, longer];
  for (;;) {
    const past = measured.findIndex(({ peakMB }) => peakMB > limit);
    const fitting = past < 0 ? measured.length : past;
    const longest = measured[fitting - 1];
    if (longest !== undefined && limit - longest.peakMB <= SPARE * limit) return longest;
    const first = Math.min(Math.max(fitting - 1, 0), measured.length - 2);
    const [from, to] = measured.slice(first) as [Measured, Measured];
    const slope = (to.peakMB - from.peakMB) / (to.time - from.time);
    const crossing = Math.floor((to.time + (limit - to.peakMB) / slope) / multiple) * multiple;
    const [least, most] = [longest?.time ?? 0, measured[fitting]?.time ?? Infinity];
    const time = Math.min(Math.max(crossing, least + multiple), most - multiple);
    if (time <= least) {
      if (longest === undefined) throw new Error(`not even ${most} tokens fit into ${limit} MiB`);
      return longest;
    }
    measured.splice(fitting, 0, measure(time));
  }
}
