import type * as tf from '@tensorflow/tfjs';
import type { Scope } from '../contract/branch.ts';
import type { CompiledFunction, Engine, TracedFunction } from '../engine.ts';
import { isTrainable, markTrainable } from '../trainable.ts';

// A compiled function sees its inputs' names and nothing else of the call, so the names say what each input is.
const TRAINED = 'trained:';
const FROZEN = 'frozen:';

/** The inputs of a compiled function, by whether they take a gradient. */
export interface CompiledInputs {
  readonly differentiable: Record<string, tf.Tensor>;
  readonly frozen: Record<string, tf.Tensor>;
}

/** Adds a scope's tensors to the inputs, for {@link unpackScope} to find inside the function. */
export function packScope(inputs: CompiledInputs, scope: Scope): void {
  for (const [name, tensor] of Object.entries(scope)) {
    if (isTrainable(tensor)) inputs.differentiable[TRAINED + name] = tensor;
    else inputs.frozen[FROZEN + name] = tensor;
  }
}

/** The scope that {@link packScope} packed, from inside the function: stand-ins of trainable tensors are marked. */
export function unpackScope(inputs: Readonly<Record<string, tf.Tensor>>): Record<string, tf.Tensor> {
  const scope: Record<string, tf.Tensor> = {};
  for (const [name, tensor] of Object.entries(inputs)) {
    if (name.startsWith(TRAINED)) scope[name.slice(TRAINED.length)] = markTrainable(tensor);
    else if (name.startsWith(FROZEN)) scope[name.slice(FROZEN.length)] = tensor;
  }
  return scope;
}

type Cache = WeakMap<object, Cache | CompiledFunction>;
const compiled: Cache = new WeakMap();

/** One compiled function for each combination of objects: what shares them shares its sessions. */
export function compileOnce(
  engine: Engine,
  keys: readonly object[],
  make: () => TracedFunction,
  options: Parameters<Engine['compile']>[1],
): CompiledFunction {
  let cache = compiled;
  for (const key of [engine, ...keys.slice(0, -1)]) {
    const next = (cache.get(key) as Cache | undefined) ?? new WeakMap();
    cache.set(key, next);
    cache = next;
  }
  const last = keys.at(-1)!;
  const known = cache.get(last) as CompiledFunction | undefined;
  const result = known ?? engine.compile(make(), options);
  cache.set(last, result);
  return result;
}
