import * as tf from '@tensorflow/tfjs';
import { ropeTables, type PassShape, type RopeLayout } from '@dropbp/core';
import { placesOfTexts, positionRows } from '../positionRows.ts';
import type { RopeScheme } from './ropeScheme.ts';

/** Cosines and sines for the tokens of a pass. */
interface RotaryTables {
  readonly cos: tf.Tensor;
  readonly sin: tf.Tensor;
}

/**
 * `cos` and `sin` for the tokens of a pass: `[time, turned]` each, or `[batch, 1, time, turned]` where sequences have positions
 * of their own. The caller owns them.
 */
export function rotaryTables(
  scheme: RopeScheme,
  { offset = 0, time, positions, lanes }: PassShape,
  layout: RopeLayout = 'halves',
): RotaryTables {
  const rows = lanes === undefined ? positionRows(offset, time) : positionRows(0, lanes.positionsEnd);
  const { frequencies, tableScale, changesBeyond } = scheme;
  const makeTables = (places: readonly number[]): RotaryTables =>
    ropeTables(frequencies(places.at(-1)! + 1), places, tableScale, layout);
  const tables = changesBeyond === undefined ? makeTables(rows.flat()) : joinTables(rows.map(makeTables));
  if (rows.length === 1 && positions === undefined && lanes === undefined) return tables;
  const shaped = tf.tidy(() => {
    const places = lanes?.positions ?? (positions && placesOfTexts(positions, time));
    const shape = (table: tf.Tensor): tf.Tensor =>
      tf.reshape(places === undefined ? table : tf.gather(table, places), [-1, 1, time, table.shape[1]!]);
    return { cos: shape(tables.cos), sin: shape(tables.sin) };
  });
  tf.dispose([tables.cos, tables.sin]);
  return shaped;
}

/** Takes the tables over. */
function joinTables(tables: readonly RotaryTables[]): RotaryTables {
  if (tables.length === 1) return tables[0]!;
  const joined = { cos: tf.concat(tables.map(({ cos }) => cos)), sin: tf.concat(tables.map(({ sin }) => sin)) };
  tf.dispose(tables.flatMap(({ cos, sin }) => [cos, sin]));
  return joined;
}
