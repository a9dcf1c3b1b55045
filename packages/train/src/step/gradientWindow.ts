import * as tf from '@tensorflow/tfjs';
import type { ValueAndGradients } from '@dropbp/compose';
import { addAll, scaleAll } from './tensorMaps.ts';

/** Loss and gradients of the micro-batches of one step. */
export interface GradientWindow {
  /** Adds a micro-batch and takes over its tensors. One of weight 0 counts nothing. */
  add(pass: Pick<ValueAndGradients, 'value' | 'gradients' | 'metrics' | 'weight' | 'tokens'>): void;
  /**
   * Means over all weight of the window, as one big batch would give them: a gradient that was missing in some micro-batches
   * counts as zero there, one that was missing in all is missing. Empties the window; the caller owns the tensors.
   */
  take(): {
    value: tf.Scalar;
    gradients: Map<string, tf.Tensor>;
    metrics: Map<string, tf.Tensor>;
    weight: number;
    tokens: number;
  };
  /** Frees what was not taken. */
  dispose(): void;
}

const VALUE = 'value';

export function gradientWindow(): GradientWindow {
  // Everything is kept in units of the first micro-batch's weight, so that micro-batches of one size are only added.
  let unit = 0;
  let weight = 0;
  let tokens = 0;
  let value = new Map<string, tf.Tensor>();
  let metrics = new Map<string, tf.Tensor>();
  let sums = new Map<string, tf.Tensor>();

  const empty = (): void => {
    unit = 0;
    weight = 0;
    tokens = 0;
    value = new Map();
    metrics = new Map();
    sums = new Map();
  };
  return {
    add(pass) {
      if (unit === 0) unit = pass.weight === 0 ? 1 : pass.weight;
      const share = pass.weight / unit;
      weight += pass.weight;
      tokens += pass.tokens;
      for (const [to, terms] of [
        [value, new Map([[VALUE, pass.value]])],
        [metrics, new Map(pass.metrics)],
        [sums, new Map(pass.gradients)],
      ] as const) {
        if (share !== 1) scaleAll(terms, share);
        addAll(to, terms);
      }
    },
    take() {
      const share = weight === 0 ? 1 : unit / weight;
      if (share !== 1) for (const each of [value, metrics, sums]) scaleAll(each, share);
      const result = { value: value.get(VALUE) as tf.Scalar, gradients: sums, metrics, weight, tokens };
      empty();
      return result;
    },
    dispose() {
      tf.dispose([...value.values(), ...metrics.values(), ...sums.values()]);
      empty();
    },
  };
}
