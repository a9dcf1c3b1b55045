import type * as tf from '@tensorflow/tfjs';
import type { Attachment, Adapter } from '../contract/adapter.ts';
import type { Model } from '../contract/model.ts';

/** Every tensor that a model with an adapter reads, by full name: what `makeRunnable` takes. Owned by the two as before. */
export function attachedTensors(
  { parameters: weights }: Pick<Model, 'parameters'>,
  { parameters, constants, aliases = new Map() }: Pick<Attachment, 'parameters' | 'constants' | 'aliases'>,
): Map<string, tf.Tensor> {
  const tensors = new Map([...weights, ...constants, ...parameters]);
  for (const [alias, name] of aliases) tensors.set(alias, tensors.get(name)!);
  return tensors;
}

/** The adapter, ready to be attached to the model: itself, where there is nothing to wait for. */
export async function prepareAdapter(adapter: Adapter, model: Model): Promise<Adapter> {
  return (await adapter.prepare?.(model)) ?? adapter;
}
