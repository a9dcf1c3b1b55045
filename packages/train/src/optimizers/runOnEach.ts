import type * as tf from '@tensorflow/tfjs';
import { activeEngine, runWhole, type TracedFunction } from '@dropbp/core';

type Named = Readonly<Record<string, tf.Tensor>>;
type EachFunction = TracedFunction<tf.Tensor[]>;

/** A function that is run on each of several items. */
export interface ElementwiseFunction {
  /** Works element by element on inputs of one shape and on scalars. */
  readonly fn: EachFunction;
  /** For each result, the input in whose place it may come: the caller does nothing with it afterwards but dispose it. */
  readonly replaces: readonly string[];
}

/**
 * Runs an elementwise function on several items of one shape: in one run where the active backend has an engine.
 *
 * @param of - the same object in every call
 * @param items - what differs between them, by name
 * @param shared - scalars that all of them read
 * @returns what the function returns for each item. The caller owns it
 */
export function runOnEach(of: ElementwiseFunction, items: readonly Named[], shared: Named = {}): tf.Tensor[][] {
  if (activeEngine() === undefined) return items.map(item => runWhole(of.fn, { ...shared, ...item }));
  const inputs: Record<string, tf.Tensor> = { ...shared };
  items.forEach((item, i) => {
    for (const [name, tensor] of Object.entries(item)) inputs[`${i}:${name}`] = tensor;
  });
  const count = of.replaces.length;
  const replaces = (result: number): string => `${Math.floor(result / count)}:${of.replaces[result % count]!}`;
  const results = runWhole(onAll(of.fn), inputs, { replaces });
  return items.map((_, i) => results.slice(i * count, (i + 1) * count));
}

const made = new WeakMap<EachFunction, EachFunction>();

/** The function over the inputs of all items, one function object for each `fn`. */
function onAll(fn: EachFunction): EachFunction {
  const known = made.get(fn);
  if (known !== undefined) return known;
  const all: EachFunction = inputs => {
    const shared: Record<string, tf.Tensor> = {};
    const items: Record<string, tf.Tensor>[] = [];
    for (const [key, tensor] of Object.entries(inputs)) {
      const at = key.indexOf(':');
      if (at === -1) shared[key] = tensor;
      else (items[Number(key.slice(0, at))] ??= {})[key.slice(at + 1)] = tensor;
    }
    return items.flatMap(item => fn({ ...shared, ...item }));
  };
  made.set(fn, Object.defineProperty(all, 'name', { value: fn.name }));
  return all;
}
