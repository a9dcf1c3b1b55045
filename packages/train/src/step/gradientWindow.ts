import * as tf from '@tensorflow/tfjs';
import type { ValueAndGradients } from '@dropbp/compose';
import { addAll, scaleAll } from './tensorMaps.ts';

/** Loss and gradients of the micro-batches of one step. */
export interface GradientWindow {
  /** Adds a micro-batch and takes over its tensors. One of 0 tokens counts nothing. */
  add(pass: Pick<ValueAndGradients, 'value' | 'gradients' | 'tokens'>): void;
  /**
   * Means over all tokens of the window, as one big batch would give them: a gradient that was missing in some micro-batches
   * counts as zero there, one that was missing in all is missing. Empties the window; the caller owns the tensors.
   */
  take(): { value: tf.Scalar; gradients: Map<string, tf.Tensor>; tokens: number };
  /** Frees what was not taken. */
  dispose(): void;
}

const VALUE = 'value';

export function gradientWindow(): GradientWindow {
  // Everything is kept in units of the first micro-batch's tokens, so that micro-batches of one size are only added.
  let unit = 0;
  let tokens = 0;
  let value = new Map<string, tf.Tensor>();
  let sums = new Map<string, tf.Tensor>();

  const empty = (): void => {
    unit = 0;
    tokens = 0;
    value = new Map();
    sums = new Map();
  };
  return {
    add(pass) {
      if (unit === 0) unit = Math.max(1, pass.tokens);
      const weight = pass.tokens / unit;
      tokens += pass.tokens;
      for (const [to, terms] of [
        [value, new Map([[VALUE, pass.value]])],
        [sums, new Map(pass.gradients)],
      ] as const) {
        if (weight !== 1) scaleAll(terms, weight);
        addAll(to, terms);
      }
    },
    take() {
      const weight = tokens === 0 ? 1 : unit / tokens;
      if (weight !== 1) for (const each of [value, sums]) scaleAll(each, weight);
      const result = { value: value.get(VALUE) as tf.Scalar, gradients: sums, tokens };
      empty();
      return result;
    },
    dispose() {
      tf.dispose([...value.values(), ...sums.values()]);
      empty();
    },
  };
}
