import { readRow } from './readRow.ts';
import type { RawRow } from './readRows.ts';
import type { RecognizedFormat } from './formats/recognizeFormat.ts';
import type { Sample } from './formats/sample.ts';

/**
 * What a single row says, by a format that `recognizeFormat()` gave: for rows that hold several samples, such as a preferred answer
 * and another one.
 *
 * @throws Problem with the row's place, where it does not have the format
 */
export function readSample(format: RecognizedFormat, row: RawRow): Sample {
  const read = readRow(format, row, 0);
  if (read instanceof Error) throw read;
  return read.sample;
}
