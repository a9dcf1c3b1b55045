/** A running mean; `value` means nothing before the first sample. */
export interface Smoothed {
  readonly value: number;
  readonly hasValue: boolean;
  with(sample: number): Smoothed;
}

/** An exponential mean over about ten samples, corrected for its start. */
export function smoothed(sum = 0, weight = 0): Smoothed {
  const keep = 0.9;
  return {
    value: sum / weight,
    hasValue: weight > 0,
    with: sample => smoothed(keep * sum + (1 - keep) * sample, keep * weight + (1 - keep)),
  };
}
