/**
 * Cuts a length into parts of at most `most`, for MPI keeps a copy of what it adds up, and counts with 32 bits.
 *
 * @returns beginning and end of each part; none for a length of 0
 */
export function* bucketsOf(length: number, most: number): Generator<readonly [start: number, end: number]> {
  for (let start = 0; start < length; start += most) yield [start, Math.min(start + most, length)];
}
