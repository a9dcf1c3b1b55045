import type * as tf from '@tensorflow/tfjs';
import { linear, type Hooks, type LinearOptions, type Scope } from '@dropbp/core';

/**
 * A linear layer with the hook of an adapter around it. Whether it has a bias follows from the scope.
 *
 * @param name - the layer's name in the scope
 * @param x - `[batch, time, inFeatures]`
 * @returns `[batch, time, outFeatures]`
 */
export function linearLayer(
  name: string,
  x: tf.Tensor,
  p: Scope,
  hooks: Hooks,
  layout: LinearOptions['layout'] = 'outIn',
): tf.Tensor {
  const base = (input: tf.Tensor): tf.Tensor =>
    linear(input, p[`${name}.weight`]!, { bias: p[`${name}.bias`], layout });
  return hooks.linear === undefined ? base(x) : hooks.linear(name, x, base, p);
}
