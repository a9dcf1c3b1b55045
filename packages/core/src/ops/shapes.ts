import * as tf from '@tensorflow/tfjs';
import { withGradient } from './withGradient.ts';

// tfjs's own add, reshape and slice hold their inputs until the backward pass, only to know their shapes.
// These hold nothing, so a model is written with them.

/** `a + b` of one shape, holding neither for the backward pass. */
export function add(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  tf.util.assertShapesMatch(a.shape, b.shape, 'add of @dropbp/core takes tensors of one shape: ');
  return withGradient(
    [a, b],
    () => tf.add(a, b),
    dy => [dy.clone(), dy.clone()],
  );
}

/** `tf.reshape`, holding nothing for the backward pass. */
export function reshape(x: tf.Tensor, shape: readonly number[]): tf.Tensor {
  const before = x.shape;
  return withGradient(
    [x],
    () => tf.reshape(x, [...shape]),
    dy => [tf.reshape(dy, before)],
  );
}

/** `tf.transpose`, holding nothing for the backward pass. */
export function transpose(x: tf.Tensor, order: readonly number[]): tf.Tensor {
  const back = order.map((_, axis) => order.indexOf(axis));
  return withGradient(
    [x],
    () => tf.transpose(x, [...order]),
    dy => [tf.transpose(dy, back)],
  );
}

/** `x · factor`, holding nothing for the backward pass. */
export function scale(x: tf.Tensor, factor: number): tf.Tensor {
  return withGradient(
    [x],
    () => tf.mul(x, factor),
    dy => [tf.mul(dy, factor)],
  );
}

/** `x`, with the gradient that passes it multiplied by `factor`, a scalar. */
export function scaleGradient(x: tf.Tensor, factor: tf.Tensor): tf.Tensor {
  return withGradient(
    [x],
    save => {
      save([factor]);
      return x.clone();
    },
    (dy, [factor]) => [tf.mul(dy, factor!)],
  );
}

/** `[batch, time, heads · size]` to `[batch, heads, time, size]`. */
export function splitHeads(x: tf.Tensor, heads: number): tf.Tensor {
  const [batch, time, width] = x.shape as [number, number, number];
  return transpose(reshape(x, [batch, time, heads, width / heads]), [0, 2, 1, 3]);
}

/** `[batch, heads, time, size]` to `[batch, time, heads · size]`. */
export function mergeHeads(x: tf.Tensor): tf.Tensor {
  const [batch, heads, time, size] = x.shape as [number, number, number, number];
  return reshape(transpose(x, [0, 2, 1, 3]), [batch, time, heads * size]);
}

/** Parts of the last axis, so many equal ones or of these widths, holding nothing for the backward pass. */
export function splitLast(x: tf.Tensor, parts: number | readonly number[]): tf.Tensor[] {
  const widths = typeof parts === 'number' ? Array.from({ length: parts }, () => x.shape.at(-1)! / parts) : parts;
  let begin = 0;
  return widths.map(width => {
    begin += width;
    return sliceLast(x, begin - width, width);
  });
}

/** The way back from {@link splitLast}, holding nothing for the backward pass. */
export function joinLast(parts: readonly tf.Tensor[]): tf.Tensor {
  const widths = parts.map(part => part.shape.at(-1)!);
  return withGradient(
    [...parts],
    () => tf.concat([...parts], -1),
    dy => tf.split(dy, widths, -1),
  );
}

function sliceLast(x: tf.Tensor, begin: number, size: number): tf.Tensor {
  const width = x.shape.at(-1)!;
  const leading = x.shape.slice(0, -1);
  return withGradient(
    [x],
    () => tf.slice(x, [...leading.map(() => 0), begin], [...leading, size]),
    dy => [tf.pad(dy, [...leading.map((): [number, number] => [0, 0]), [begin, width - begin - size]])],
  );
}
