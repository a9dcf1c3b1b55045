import * as tf from '@tensorflow/tfjs';
import { ropeTables, type PassShape, type RopeFrequencies, type Scope } from '@dropbp/core';
import { placesOfTexts, positionRows } from './positionRows.ts';

/**
 * `cos` and `sin` for the tokens of a pass: `[time, turned]` each, or `[batch, 1, time, turned]` where sequences have positions
 * of their own. The caller owns them.
 */
export function rotaryTables(frequencies: RopeFrequencies, { offset = 0, time, positions }: PassShape): Scope {
  const rows = positionRows(offset, time);
  const tables = ropeTables(frequencies, rows.flat());
  if (rows.length === 1 && positions === undefined) return tables;
  const byRow = [-1, 1, time, 2 * frequencies.length];
  const shaped = tf.tidy(() => {
    const places = positions && placesOfTexts(positions, time);
    const shape = (table: tf.Tensor): tf.Tensor =>
      tf.reshape(places === undefined ? table : tf.gather(table, places), byRow);
    return { cos: shape(tables.cos), sin: shape(tables.sin) };
  });
  tf.dispose(tables);
  return shaped;
}
