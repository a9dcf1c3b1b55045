import type * as tf from '@tensorflow/tfjs';
import {
  attention,
  type AttentionParts,
  type BranchContext,
  type Hooks,
  type KeyValue,
  type Scope,
} from '@dropbp/core';

/** What {@link attend} works with besides queries, keys and values. */
interface Attend extends Pick<AttentionParts, 'keyValue' | 'output'> {
  /** The attention module's name in the scope. */
  readonly name: string;
  readonly p: Scope;
  readonly hooks: Hooks;
  readonly context: BranchContext;
  /** Factor on the scores. @defaultValue `1 / √headSize` */
  readonly scale?: number | undefined;
  /** See {@link attention}. @defaultValue no cap */
  readonly scoreCap?: number | undefined;
  /** A query sees this many keys, itself included. @defaultValue all */
  readonly window?: number | undefined;
  /** Whether a query sees the keys behind it too. @defaultValue false */
  readonly ahead?: boolean | undefined;
}

/**
 * Attention over what a branch's queries see: its own keys and values, those of the cache, and those that an adapter puts
 * in front; then the output layer.
 *
 * @param queries - `[batch, heads, time, headSize]`
 * @param own - keys and values of the same tokens, positions encoded
 * @returns `[batch, time, hiddenSize]`
 */
export function attend(queries: tf.Tensor, own: KeyValue, given: Attend): tf.Tensor {
  const { name, p, hooks, context, scale, scoreCap, window, ahead, keyValue, output } = given;
  const { keyBias, windowKeyBias, textStarts, keyBegins, keyEnds, keyPositions } = context.shared;
  const { front } = context;
  const begun = context.isStart && hooks.keyValue !== undefined ? hooks.keyValue(name, own, p) : own;
  const { keys, values } = context.extendCache === undefined ? begun : context.extendCache(begun.keys, begun.values);
  // While decoding, the last key of the cache is not the newest, so a bias and not the distance hides what left the window.
  const seen = window !== undefined && windowKeyBias !== undefined ? { keyBias: windowKeyBias } : { keyBias, window };
  const keyMask = keyBegins && keyEnds && { begins: keyBegins, ends: keyEnds, positions: keyPositions };
  const scoring = { textStarts, keyMask, front, scoreCap, ahead, ...(scale !== undefined && { scale }) };
  const gathered = attention(queries, keys, values, { ...seen, ...scoring });
  if (hooks.attention === undefined) return output(gathered);
  return hooks.attention(name, { queries, gathered, keyValue, output }, p);
}
