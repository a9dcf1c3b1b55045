import * as tf from '@tensorflow/tfjs';
import type { LabelledRows, PreparedBatch } from '../../contract/objective.ts';
import { withoutTape } from '../pass/ownTape.ts';
import type { Runnable } from '../runnable.ts';

/**
 * The metrics of a prepared batch as scalars, with nothing recorded. Called right after its loss, where a tape may be on. The caller
 * owns them, beyond any tidy.
 *
 * @returns undefined where it has none
 */
export function metricsOf(
  prepared: PreparedBatch,
  runnable: Runnable,
  hidden: tf.Tensor,
  rows?: LabelledRows,
): ReadonlyMap<string, tf.Scalar> | undefined {
  if (prepared.metrics === undefined) return undefined;
  const keep = (value: tf.Scalar | number): tf.Scalar =>
    tf.keep(typeof value === 'number' ? tf.scalar(value) : tf.reshape(value, []));
  return withoutTape(() => {
    const metrics = Object.entries(prepared.metrics!(runnable, hidden, rows));
    return new Map(metrics.map(([name, value]) => [name, keep(value)]));
  });
}
