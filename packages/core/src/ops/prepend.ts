import * as tf from '@tensorflow/tfjs';
import { withGradient } from './withGradient.ts';

/**
 * `x` with the same rows in front of each of its sequences, holding neither for the backward pass.
 *
 * @param front - the shape of x without its batch axis, any length along `axis`
 * @param x - `[batch, …]`
 * @param axis - of x: along which `front` comes first
 */
export function prepend(front: tf.Tensor, x: tf.Tensor, axis: number): tf.Tensor {
  const batch = x.shape[0];
  const count = front.shape[axis - 1]!;
  const part = (dy: tf.Tensor, begin: number, size: number): tf.Tensor =>
    tf.slice(dy, dy.shape.map((_, i) => (i === axis ? begin : 0)), dy.shape.map((all, i) => (i === axis ? size : all))); // prettier-ignore
  return withGradient(
    [front, x],
    () => tf.concat([tf.tile(tf.expandDims(front, 0), [batch, ...front.shape.map(() => 1)]), x], axis),
    (dy, _, [isFrontWanted, isRestWanted]) => [
      isFrontWanted ? tf.sum(part(dy, 0, count), 0) : undefined,
      isRestWanted ? part(dy, count, x.shape[axis]!) : undefined,
    ],
  );
}
