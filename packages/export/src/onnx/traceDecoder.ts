import * as tf from '@tensorflow/tfjs';
import { tokenHead, plainRunnable, type KeyValue, type Lanes, type Model } from '@dropbp/core';
import type { InputShape, OnnxTrace } from '@dropbp/tfjs-backend-ort';

/** Sequences, tokens of each, and tokens in the cache. */
export interface Sizes {
  readonly batch: number;
  readonly time: number;
  readonly past: number;
}

/** What is in front of a weight's name among the inputs of a trace. */
export const WEIGHT = 'w:';

/** The parts of the cache, in order: `0.key`, `0.value`, `1.key`, … */
export function cacheParts(model: Model): { readonly name: string; readonly heads: number; readonly size: number }[] {
  return model.branches
    .filter(({ heads }) => heads !== undefined)
    .flatMap(({ heads }, i) =>
      ['key', 'value'].map(part => ({ name: `${i}.${part}`, heads: heads!.kvHeads, size: heads!.headSize })),
    );
}

/**
 * Writes down one pass of a model with a cache: from tokens, positions and what hides keys to logits and the longer cache.
 *
 * @param end - positions are below this
 */
export async function traceDecoder(model: Model, { batch, time, past }: Sizes, end: number): Promise<OnnxTrace> {
  // Loaded when needed: GGUF files do without it.
  const { traceOnnx } = await import('@dropbp/tfjs-backend-ort');
  const head = tokenHead(model);
  const { branchScopes } = plainRunnable(model);
  const names = new Map([...model.parameters].map(([name, tensor]) => [tensor, name]));
  const keys = past + time;
  const shapes: Record<string, InputShape> = {
    input_ids: { shape: [batch, time], dtype: 'int32' },
    positions: { shape: [batch, time], dtype: 'int32' },
    key_begins: { shape: [batch, keys], dtype: 'float32' },
    key_ends: { shape: [batch, keys], dtype: 'float32' },
    key_positions: { shape: [batch, keys], dtype: 'float32' },
  };
  for (const { name, heads, size } of cacheParts(model)) {
    shapes[`past_key_values.${name}`] = { shape: [batch, heads, past, size], dtype: 'float32' };
  }
  for (const [name, { shape }] of model.parameters) shapes[WEIGHT + name] = { shape, dtype: 'float32' };
  return traceOnnx(inputs => {
    const outer = Object.fromEntries([...model.parameters.keys()].map(name => [name, inputs[WEIGHT + name]!]));
    const lanes: Lanes = {
      positions: inputs.positions!,
      positionsEnd: end,
      keys: { begins: inputs.key_begins!, ends: inputs.key_ends!, positions: inputs.key_positions! },
      isStart: false,
    };
    const shared = model.shared({ batch, time, lanes });
    const present: tf.Tensor[] = [];
    let attentions = 0;
    let x = model.embed(inputs.input_ids!, outer, {}, { offset: 0, isStart: false, lanes });
    let input = x;
    for (const [i, branch] of model.branches.entries()) {
      if (branch.sharesInput !== true) input = x;
      const scope = Object.fromEntries(
        Object.entries(branchScopes[i]!).map(([name, tensor]) => [name, inputs[WEIGHT + names.get(tensor)!]!]),
      );
      const extendCache = (own: tf.Tensor, values: tf.Tensor): KeyValue => {
        const at = attentions++;
        const seen = {
          keys: tf.concat([inputs[`past_key_values.${at}.key`]!, own], 2),
          values: tf.concat([inputs[`past_key_values.${at}.value`]!, values], 2),
        };
        present.push(seen.keys, seen.values);
        return seen;
      };
      x = tf.add(x, branch.apply(input, scope, {}, { shared, isStart: false, extendCache }));
    }
    return [head.project(head.normalize(x, outer), outer, {}), ...present];
  }, shapes);
}
