import type * as tf from '@tensorflow/tfjs';
import { attention, type BranchContext, type Hooks, type KeyValue, type Scope } from '@dropbp/core';

/** Options of {@link attend}. */
interface AttendOptions {
  /** Factor on the scores. @defaultValue `1 / √headSize` */
  readonly scale?: number;
  /** A query sees this many keys, itself included. @defaultValue all */
  readonly window?: number | undefined;
}

/**
 * Attention over what a branch's queries see: its own keys and values, those of the cache, and those of an adapter.
 *
 * @param name - the attention module's name in the scope
 * @param q - `[batch, heads, time, headSize]`
 * @param own - keys and values of the same tokens, positions encoded
 * @returns `[batch, heads, time, headSize]`
 */
export function attend(
  name: string,
  q: tf.Tensor,
  own: KeyValue,
  p: Scope,
  hooks: Hooks,
  context: BranchContext,
  options: AttendOptions = {},
): tf.Tensor {
  const { scale, window } = options;
  const { keyBias, windowKeyBias } = context.shared;
  const soFar = context.extendCache === undefined ? own : context.extendCache(own.keys, own.values);
  const { keys, values } = hooks.keyValue === undefined ? soFar : hooks.keyValue(name, soFar, p);
  // While decoding, the last key of the cache is not the newest, so a bias and not the distance hides what left the window.
  const biasHoldsWindow = window !== undefined && windowKeyBias !== undefined;
  return attention(q, keys, values, {
    ...(scale !== undefined && { scale }),
    keyBias: biasHoldsWindow ? windowKeyBias : keyBias,
    window: biasHoldsWindow ? undefined : window,
  });
}
