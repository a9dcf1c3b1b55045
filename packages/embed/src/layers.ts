import * as tf from '@tensorflow/tfjs';
import type { Runnable } from '@dropbp/core';
import type { Embedder } from './embedder.ts';
import { poolStates, type TokenMask } from './pooling.ts';

/** What follows the pooling: vectors of length 1, or a linear layer with an activation. */
export type EmbeddingLayer = NormalizeLayer | DenseLayer;

/** Vectors of length 1. */
export interface NormalizeLayer {
  /** Tells it from other layers. */
  readonly kind: 'normalize';
}

/** A linear layer on embeddings. */
export interface DenseLayer {
  /** Tells it from other layers. */
  readonly kind: 'dense';
  /** float32 `[out, in]`. */
  readonly weight: tf.Tensor;
  /** float32 `[out]`. @defaultValue none */
  readonly bias?: tf.Tensor;
  /** What follows the product. */
  readonly activation: DenseActivation;
}

/** Activations of a {@link DenseLayer}. */
export type DenseActivation = 'tanh' | 'identity' | 'relu' | 'sigmoid';

const activations: Readonly<Record<DenseActivation, (x: tf.Tensor) => tf.Tensor>> = {
  tanh: x => tf.tanh(x),
  identity: x => x,
  relu: x => tf.relu(x),
  sigmoid: x => tf.sigmoid(x),
};

/** Rows of length 1. */
export function unitRows(x: tf.Tensor): tf.Tensor {
  return tf.div(x, tf.sqrt(tf.maximum(tf.sum(tf.square(x), -1, true), 1e-24)));
}

/** From the states of a pass to embeddings, `[batch, width]`. */
export function embeddingsOf(
  { pooling, layers }: Pick<Embedder, 'pooling' | 'layers'>,
  runnable: Runnable,
  { hidden, mask }: { hidden: tf.Tensor; mask: TokenMask },
): tf.Tensor {
  let x = poolStates(runnable, hidden, { mask, modes: pooling });
  for (const layer of layers) {
    if (layer.kind === 'normalize') x = unitRows(x);
    else {
      const product = tf.matMul(x, layer.weight, false, true);
      x = activations[layer.activation](layer.bias === undefined ? product : tf.add(product, layer.bias));
    }
  }
  return x;
}
