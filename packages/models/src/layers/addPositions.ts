import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import type { Hooks, Scope, SequencePlace } from '@dropbp/core';
import { embeddingLayer } from './embeddingLayer.ts';
import { placesOfTexts, positionRows } from './positionRows.ts';

/**
 * Adds learned positions, virtual tokens included, as they take positions like any other.
 *
 * @param x - `[batch, time, hiddenSize]`
 * @param table - the full name of the table of positions
 * @param maxPositions - its rows
 * @throws Problem for a sequence that is longer than the table
 */
export function addPositions(
  x: tf.Tensor,
  table: string,
  maxPositions: number,
  p: Scope,
  hooks: Hooks,
  { offset, positions, lanes }: SequencePlace,
): tf.Tensor {
  const rows = lanes === undefined ? positionRows(offset, x.shape[1]!) : positionRows(0, lanes.positionsEnd);
  const end = 1 + Math.max(...rows.map(row => row.at(-1)!));
  if (end > maxPositions) {
    throw problem('models', {
      what: 'the sequence, virtual tokens included, is longer than the positions that the model has learned',
      got: end,
      expected: `at most ${maxPositions}`,
    });
  }
  const own = tf.tensor(rows.length === 1 ? rows[0]! : rows, undefined, 'int32');
  const texts = positions && placesOfTexts(positions, x.shape[1]!);
  const places = lanes?.positions ?? (texts === undefined ? own : tf.gather(own, texts));
  return tf.add(x, embeddingLayer(table, places, p, hooks));
}
