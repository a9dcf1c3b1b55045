import type { CompiledFunction, Engine, EngineOptions, Results, TracedFunction } from '@dropbp/engine';

type Cache = WeakMap<object, Cache | CompiledFunction<Results>>;
const compiled: Cache = new WeakMap();

/** One compiled function for each combination of objects: what shares them shares its sessions. */
export function compileOnce<R extends Results>(
  engine: Engine,
  keys: readonly object[],
  make: () => TracedFunction<R>,
  options: EngineOptions,
): CompiledFunction<R> {
  let cache = compiled;
  for (const key of [engine, ...keys.slice(0, -1)]) {
    const next = (cache.get(key) as Cache | undefined) ?? new WeakMap();
    cache.set(key, next);
    cache = next;
  }
  const last = keys.at(-1)!;
  const known = cache.get(last) as CompiledFunction<R> | undefined;
  const result = known ?? engine.compile(make(), options);
  cache.set(last, result);
  return result;
}
