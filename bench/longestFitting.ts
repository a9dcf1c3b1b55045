/** The longest length that fits, and the shortest that was tried and does not. */
export interface Fitting<Measured> {
  readonly length: number;
  readonly measured: Measured;
  /** Undefined where the most that was allowed fits. */
  readonly tooLong: number | undefined;
}

/**
 * Looks for the longest length that fits: doubles the first until one does not fit, then halves what is in between.
 *
 * @param first - must fit
 * @param most - nothing longer is tried
 * @param multiple - of which every length is one
 * @param halvings - at most
 * @param measure - undefined for a length that does not fit
 */
export async function longestFitting<Measured>(
  { first, most, multiple, halvings }: Readonly<Record<'first' | 'most' | 'multiple' | 'halvings', number>>,
  measure: (length: number) => Promise<Measured | undefined>,
): Promise<Fitting<Measured> | undefined> {
  let fitting: Fitting<Measured> | undefined;
  let length = first;
  while (length <= most) {
    const measured = await measure(length);
    if (measured === undefined) break;
    fitting = { length, measured, tooLong: undefined };
    length *= 2;
  }
  if (fitting === undefined || length > most) return fitting;
  fitting = { ...fitting, tooLong: length };
  for (let i = 0; i < halvings; i++) {
    const middle: number = Math.round((fitting.length + fitting.tooLong!) / 2 / multiple) * multiple;
    if (middle <= fitting.length || middle >= fitting.tooLong!) break;
    const measured = await measure(middle);
    fitting = measured === undefined ? { ...fitting, tooLong: middle } : { ...fitting, length: middle, measured };
  }
  return fitting;
}
