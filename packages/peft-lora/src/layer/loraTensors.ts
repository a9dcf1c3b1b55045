import type * as tf from '@tensorflow/tfjs';
import { findTokenHead, type Model } from '@dropbp/core';
import { weightOf } from '../plan/loraPlan.ts';

/** Tensors of an attached adapter, by name. */
export interface LoraTensors {
  readonly parameters: ReadonlyMap<string, tf.Variable>;
  readonly constants: ReadonlyMap<string, tf.Tensor>;
}

/** A weight of the base: what comes with the adapter, else the model's. */
export function baseWeight(model: Model, constants: LoraTensors['constants'], name: string): tf.Tensor {
  const own = constants.get(name);
  if (own !== undefined) return own;
  const head = findTokenHead(model);
  const shared = head !== undefined && name === `${head.path}.weight` ? constants.get(head.weight) : undefined;
  return shared ?? weightOf(model, name);
}
