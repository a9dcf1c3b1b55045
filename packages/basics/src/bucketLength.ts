/** Lengths up to this one are all filled up to it. */
const SHORTEST = 32;

/**
 * The length that a sequence is filled up to, so that an engine, which compiles every length anew, sees few of them: less
 * than a quarter is added where it is long, and there are four lengths for each doubling.
 *
 * @param length - in tokens, at least 1
 * @param longest - the longest that may be asked for, such as a model's positions. @defaultValue no limit
 */
export function bucketLength(length: number, longest: number = Infinity): number {
  const grain = Math.max(SHORTEST, 2 ** (Math.floor(Math.log2(length)) - 2));
  return Math.max(length, Math.min(Math.ceil(length / grain) * grain, longest));
}
