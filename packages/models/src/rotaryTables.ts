import * as tf from '@tensorflow/tfjs';
import { ropeTables, type PassShape, type RopeFrequencies, type Scope } from '@dropbp/core';
import { positionRows } from './positionRows.ts';

/**
 * `cos` and `sin` for the tokens of a pass: `[time, turned]` each, or `[batch, 1, time, turned]` where sequences have positions
 * of their own. The caller owns them.
 */
export function rotaryTables(frequencies: RopeFrequencies, { offset = 0, time }: PassShape): Scope {
  const rows = positionRows(offset, time);
  const tables = ropeTables(frequencies, rows.flat());
  if (rows.length === 1) return tables;
  const byRow = [rows.length, 1, time, 2 * frequencies.length];
  const shaped = tf.tidy(() => ({ cos: tf.reshape(tables.cos, byRow), sin: tf.reshape(tables.sin, byRow) }));
  tf.dispose(tables);
  return shaped;
}
