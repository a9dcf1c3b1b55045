import * as tf from '@tensorflow/tfjs';
import { compose, type Tuned } from '@dropbp/compose';
import type { Adapter, Batch, Model } from '@dropbp/core';
import type { DropBP } from '@dropbp/dropbp';
import { lora } from '@dropbp/peft-lora';
import { goldenName, goldenValues } from '@dropbp/testing';

export const booleans = (drop: readonly number[]): boolean[] => drop.map(value => value === 1);

/** The toy model with the fixture's LoRA of rank 2 on q and v. */
export function toyTuned(model: Model, dropBP?: DropBP, adapter?: Adapter): Tuned {
  const tuned = compose(model, adapter ?? lora({ rank: 2, alpha: 4, targetModules: ['q', 'v'] }), dropBP);
  for (const [name, variable] of tuned.parameters) {
    const tensor = tf.tensor([...goldenValues.weights[goldenName(name)]!], variable.shape);
    variable.assign(tensor);
    tensor.dispose();
  }
  return tuned;
}

/** A batch of given tokens, each row padded at its end. */
export function batchOf(...rows: readonly (readonly number[])[]): Batch {
  const time = Math.max(...rows.map(row => row.length));
  const filled = (padding: number): number[][] =>
    rows.map(row => [...row, ...Array.from({ length: time - row.length }, () => padding)]);
  return {
    inputIds: tf.tensor2d(filled(0), undefined, 'int32'),
    labels: tf.tensor2d(filled(-100), undefined, 'int32'),
  };
}

export async function valuesOf(tensors: ReadonlyMap<string, tf.Tensor>): Promise<Map<string, Float32Array>> {
  const values = new Map<string, Float32Array>();
  for (const [name, tensor] of tensors) values.set(name, Float32Array.from(await tensor.data()));
  return values;
}

/** Largest difference, relative to the largest expected value. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  const largest = Math.max(...Array.from(expected, Math.abs));
  return Math.max(...Array.from(expected, (value, i) => Math.abs(actual[i]! - value))) / largest;
}
