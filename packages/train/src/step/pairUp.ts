import type * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import { checkNamed } from '../options/checkNamed.ts';

/** A parameter with its gradient. */
export interface Pair {
  readonly name: string;
  readonly parameter: tf.Variable;
  readonly gradient: tf.Tensor;
}

/**
 * The parameters that have a gradient.
 *
 * @throws Problem for a gradient without a parameter, or of another shape; nothing is changed yet then
 */
export function pairUp(
  parameters: ReadonlyMap<string, tf.Variable>,
  gradients: ReadonlyMap<string, tf.Tensor>,
): readonly Pair[] {
  checkNamed('parameters', parameters);
  checkNamed('gradients', gradients);
  return [...gradients].map(([name, gradient]) => {
    const parameter = parameters.get(name);
    if (parameter === undefined)
      throw problem('train', { what: `there is a gradient for '${name}', which is no parameter` });
    if (String(parameter.shape) !== String(gradient.shape)) {
      const what = `the gradient of '${name}' has another shape than the parameter`;
      throw problem('train', { what, got: gradient.shape, expected: String(parameter.shape) });
    }
    return { name, parameter, gradient };
  });
}
