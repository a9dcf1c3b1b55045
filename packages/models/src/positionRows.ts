/**
 * Positions of the tokens of a pass, a row for each sequence; one row where all have the same.
 *
 * @param offset - position of the first token; one for each sequence where they differ
 * @param time - tokens in a sequence
 */
export function positionRows(offset: number | readonly number[], time: number): number[][] {
  return [offset].flat().map(first => Array.from({ length: time }, (_, i) => first + i));
}
