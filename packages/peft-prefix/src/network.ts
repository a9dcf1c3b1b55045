import type * as tf from '@tensorflow/tfjs';
import type { SeededRandom } from '@dropbp/basics';
import { linear, type Scope } from '@dropbp/core';
import { normalValues, uniformValues, variable } from './variable.ts';

/** Builds the parameters of a small network under names of torch's, started as torch starts them. */
export interface NetworkBuilder {
  readonly parameters: Map<string, tf.Variable>;
  /** `<name>.weight` `[entries, width]`. */
  embedding(name: string, entries: number, width: number): void;
  /** `<name>.weight` `[outFeatures, inFeatures]` and `<name>.bias`. */
  linear(name: string, inFeatures: number, outFeatures: number, isZero?: boolean): void;
  /** A weight or bias of any shape, uniform within ±bound. */
  uniform(name: string, shape: readonly number[], bound: number): void;
}

/** @param prefix - comes before every name */
export function networkBuilder(prefix: string, random: SeededRandom): NetworkBuilder {
  const parameters = new Map<string, tf.Variable>();
  const uniform = (name: string, shape: readonly number[], bound: number): void => {
    const count = shape.reduce((product, size) => product * size, 1);
    parameters.set(`${prefix}${name}`, variable(uniformValues(count, bound, random), shape));
  };
  return {
    parameters,
    embedding(name, entries, width) {
      parameters.set(`${prefix}${name}.weight`, variable(normalValues(entries * width, random), [entries, width]));
    },
    linear(name, inFeatures, outFeatures, isZero = false) {
      const bound = isZero ? 0 : 1 / Math.sqrt(inFeatures);
      uniform(`${name}.weight`, [outFeatures, inFeatures], bound);
      uniform(`${name}.bias`, [outFeatures], bound);
    },
    uniform,
  };
}

/** A linear layer of the network. @param x - `[rows, inFeatures]` */
export function linearOf(p: Scope, name: string, x: tf.Tensor): tf.Tensor {
  return linear(x, p[`${name}.weight`]!, { bias: p[`${name}.bias`]! });
}

const functions = new Map<string, (p: Scope) => tf.Tensor>();

/** The same function object for the same key, so that an engine compiles once for all networks that do the same. */
export function sharedFunction(key: string, make: () => (p: Scope) => tf.Tensor): (p: Scope) => tf.Tensor {
  const known = functions.get(key) ?? make();
  functions.set(key, known);
  return known;
}
