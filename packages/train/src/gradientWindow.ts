import * as tf from '@tensorflow/tfjs';
import type { ValueAndGradients } from '@dropbp/compose';

/** Loss and gradients of the micro-batches of one step. */
export interface GradientWindow {
  /** Adds a micro-batch and takes over its tensors. */
  add(pass: Pick<ValueAndGradients, 'value' | 'gradients' | 'tokens'>): void;
  /**
   * Means over all tokens of the window, as one big batch would give them: a gradient that was missing in some micro-batches
   * counts as zero there, one that was missing in all is missing. Empties the window; the caller owns the tensors.
   */
  take(): { value: tf.Scalar; gradients: Map<string, tf.Tensor>; tokens: number };
  /** Frees what was not taken. */
  dispose(): void;
}

export function gradientWindow(): GradientWindow {
  // Everything is kept in units of the first micro-batch's tokens, so that micro-batches of one size are only added.
  let unit = 0;
  let tokens = 0;
  let value: tf.Tensor | undefined;
  let sums = new Map<string, tf.Tensor>();

  const addTo = (sum: tf.Tensor | undefined, term: tf.Tensor, weight: number): tf.Tensor => {
    if (sum === undefined && weight === 1) return term;
    const next = tf.tidy(() => {
      const weighted = weight === 1 ? term : tf.mul(term, weight);
      return sum === undefined ? weighted : tf.add(sum, weighted);
    });
    tf.dispose([term, ...(sum === undefined ? [] : [sum])]);
    return next;
  };
  const empty = (): void => {
    unit = 0;
    tokens = 0;
    value = undefined;
    sums = new Map();
  };
  return {
    add(pass) {
      if (unit === 0) unit = pass.tokens;
      const weight = pass.tokens / unit;
      tokens += pass.tokens;
      value = addTo(value, pass.value, weight);
      for (const [name, gradient] of pass.gradients) sums.set(name, addTo(sums.get(name), gradient, weight));
    },
    take() {
      const weight = unit / tokens;
      const mean = addTo(undefined, value!, weight) as tf.Scalar;
      const gradients = new Map([...sums].map(([name, sum]) => [name, addTo(undefined, sum, weight)]));
      const result = { value: mean, gradients, tokens };
      empty();
      return result;
    },
    dispose() {
      tf.dispose([...sums.values(), ...(value === undefined ? [] : [value])]);
      empty();
    },
  };
}
