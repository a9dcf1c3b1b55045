import * as tf from '@tensorflow/tfjs';
import { attention, HIDDEN, type BranchContext, type Hooks, type KeyValue, type Scope } from '@dropbp/core';

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
  const seen =
    window !== undefined && windowKeyBias !== undefined
      ? { keyBias: lastOf(windowKeyBias, keys.shape[2]!) }
      : { keyBias, window };
  return attention(q, keys, values, { ...seen, ...(scale !== undefined && { scale }) });
}

/** The last entries of each row; in front of a row that is too short, hidden ones. */
function lastOf(bias: tf.Tensor, count: number): tf.Tensor {
  const [batch, length] = bias.shape as [number, number];
  if (count <= length) return tf.slice(bias, [0, length - count], [batch, count]);
  return tf.pad(bias, [[0, 0], [count - length, 0]], HIDDEN); // prettier-ignore
}
