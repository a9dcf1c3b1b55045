import { checkOptions, nearNames, problem, nodeModule } from '@dropbp/basics';
import { plainRunnable, type Adapter, type Model, type Runnable } from '@dropbp/core';
import type { ComposeOptions } from '../composeOptions.ts';
import type { ManyAdapters, Tuned, TunedAdapter } from '../tuned.ts';
import { checkAdapterName } from './checkAdapterName.ts';
import { forRows } from './forRows.ts';
import { withoutAdapters } from './withoutAdapters.ts';

/**
 * A model with adapters by name, one of which is in use: what is asked of the model is asked of that one.
 *
 * @param bindOne - binds an adapter to the model
 */
export function manyAdapters(
  model: Model,
  adapter: Adapter,
  options: ComposeOptions,
  bindOne: (adapter: Adapter) => TunedAdapter,
): Tuned {
  const { adapterName = 'default' } = options;
  checkAdapterName(adapterName);
  const plain = plainRunnable(model);
  const withRows = (one: TunedAdapter): TunedAdapter => {
    const ofRows: Runnable['forRows'] = names =>
      forRows(model, names, name => (name === undefined ? plain : find(name).internal));
    return { ...one, internal: { ...one.internal, forRows: ofRows } };
  };
  const bind = (another: Adapter): TunedAdapter => withRows(bindOne(another));
  const first = bind(adapter);
  const bound = new Map([[adapterName, first]]);
  const none = withRows(withoutAdapters(model, options));
  let active = adapterName;
  let scopesWithout = 0;

  const find = (name: string): TunedAdapter => {
    const found = bound.get(name);
    if (found !== undefined) return found;
    const near = nearNames(name, bound.keys());
    throw problem('compose', {
      what: `there is no adapter '${name}'`,
      expected: [...bound.keys()].join(', '),
      ...(near.length > 0 && { fix: `did you mean ${near.map(other => `'${other}'`).join(' or ')}?` }),
    });
  };
  const many: ManyAdapters = {
    get adapters() {
      return new Map([...bound].map(([name, tuned]) => [name, tuned.adapter]));
    },
    get activeAdapter() {
      return scopesWithout > 0 ? undefined : active;
    },
    addAdapter(name, another) {
      checkAdapterName(name);
      if (bound.has(name)) {
        throw problem('compose', { what: `there is an adapter '${name}' already`, fix: `removeAdapter('${name}') first, or give it another name` }); // prettier-ignore
      }
      bound.set(name, bind(another));
    },
    useAdapter(name) {
      find(name);
      active = name;
    },
    removeAdapter(name) {
      const found = find(name);
      if (name === active) {
        throw problem('compose', { what: `the adapter '${name}' is in use`, fix: 'useAdapter() another one first' });
      }
      found.dispose();
      bound.delete(name);
    },
    withoutAdapter(run) {
      scopesWithout++;
      const leave = (): void => {
        scopesWithout--;
      };
      let result;
      try {
        result = run();
      } catch (error) {
        leave();
        throw error;
      }
      if (!(result instanceof Promise)) {
        leave();
        return result;
      }
      return result.finally(leave) as typeof result;
    },
    async save(directory, given = {}) {
      checkOptions('compose', 'save()', given, ['adapters']);
      const names = given.adapters ?? [...bound.keys()];
      await saveAll(directory, new Map(names.map(name => [name, find(name)])));
    },
    dispose() {
      for (const tuned of bound.values()) tuned.dispose();
    },
  };
  const current = (): TunedAdapter => (scopesWithout > 0 ? none : bound.get(active)!);
  const tuned = delegate(first, current);
  return Object.defineProperties(tuned, Object.getOwnPropertyDescriptors(many)) as Tuned;
}

/** Saves adapters as PEFT does: the one called `default` in the folder itself, others in folders of their names. */
export async function saveAll(directory: string, adapters: ReadonlyMap<string, TunedAdapter>): Promise<void> {
  if (adapters.size === 0) throw problem('compose', { what: 'save() has no adapter to save', fix: 'name some' });
  const path = nodeModule('compose', 'node:path');
  for (const [name, tuned] of adapters) await tuned.save(name === 'default' ? directory : path.join(directory, name));
}

/** An object that has, at any time, the properties of another one. @param like - names them */
export function delegate<T extends object>(like: T, current: () => T): T {
  const keys = Object.keys(like) as (keyof T)[];
  const properties = keys.map(key => [key, { configurable: true, enumerable: true, get: () => current()[key] }]);
  return Object.defineProperties({}, Object.fromEntries(properties) as PropertyDescriptorMap) as T;
}
