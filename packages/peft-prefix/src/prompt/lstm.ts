import * as tf from '@tensorflow/tfjs';
import { linear, type Scope } from '@dropbp/core';
import type { NetworkBuilder } from '../network.ts';

/** The sizes of a bidirectional LSTM. */
interface LstmSizes {
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly layers: number;
}

const directions = ['', '_reverse'] as const;

/** Adds the weights of a bidirectional LSTM under torch's names, uniform within ±1/√hiddenSize as in torch. */
export function addLstm(network: NetworkBuilder, name: string, { inputSize, hiddenSize, layers }: LstmSizes): void {
  const bound = 1 / Math.sqrt(hiddenSize);
  for (let layer = 0; layer < layers; layer++) {
    for (const direction of directions) {
      const suffix = `l${layer}${direction}`;
      network.uniform(`${name}.weight_ih_${suffix}`, [4 * hiddenSize, layer === 0 ? inputSize : 2 * hiddenSize], bound);
      network.uniform(`${name}.weight_hh_${suffix}`, [4 * hiddenSize, hiddenSize], bound);
      network.uniform(`${name}.bias_ih_${suffix}`, [4 * hiddenSize], bound);
      network.uniform(`${name}.bias_hh_${suffix}`, [4 * hiddenSize], bound);
    }
  }
}

/**
 * A bidirectional LSTM over the rows of x, as torch computes it: gates in the order input, forget, cell, output.
 * Source: Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997; torch.nn.LSTM.
 *
 * @param x - `[time, inputSize]`
 * @param between - applied to the result of every layer but the last: dropout
 * @returns `[time, 2 · hiddenSize]`
 */
export function lstm(
  p: Scope,
  name: string,
  x: tf.Tensor,
  layers: number,
  between: (x: tf.Tensor, layer: number) => tf.Tensor,
): tf.Tensor {
  let states = x;
  for (let layer = 0; layer < layers; layer++) {
    const sides = directions.map(direction => oneDirection(p, name, `l${layer}${direction}`, states, direction !== ''));
    states = tf.concat(sides, 1);
    if (layer + 1 < layers) states = between(states, layer);
  }
  return states;
}

function oneDirection(p: Scope, name: string, suffix: string, x: tf.Tensor, isReverse: boolean): tf.Tensor {
  const time = x.shape[0];
  const recurrent = p[`${name}.weight_hh_${suffix}`]!;
  const hiddenSize = recurrent.shape[1]!;
  const fromInput = tf.split(
    linear(x, p[`${name}.weight_ih_${suffix}`]!, { bias: p[`${name}.bias_ih_${suffix}`]! }),
    time,
  );
  let hidden: tf.Tensor = tf.zeros([1, hiddenSize]);
  let cell: tf.Tensor = tf.zeros([1, hiddenSize]);
  const results: tf.Tensor[] = [];
  for (let step = 0; step < time; step++) {
    const at = isReverse ? time - 1 - step : step;
    const gates = tf.add(fromInput[at]!, linear(hidden, recurrent, { bias: p[`${name}.bias_hh_${suffix}`]! }));
    const [input, forget, candidate, output] = tf.split(gates, 4, 1) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
    cell = tf.add(tf.mul(tf.sigmoid(forget), cell), tf.mul(tf.sigmoid(input), tf.tanh(candidate)));
    hidden = tf.mul(tf.sigmoid(output), tf.tanh(cell));
    results[at] = hidden;
  }
  return tf.concat(results);
}
