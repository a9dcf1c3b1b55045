import { problem } from '@dropbp/basics';
import { tokenHead, plainRunnable, type Hooks, type Model, type Runnable, type Scope } from '@dropbp/core';
import { nameOfMember } from './memberScopes.ts';
import { mixedHooks } from './mixedHooks.ts';

/** Rows of a batch, and what they run with. */
export interface RowsOf {
  readonly adapter: string | undefined;
  readonly runnable: Runnable;
  readonly rows: readonly number[];
}

/**
 * One model that runs the rows of each group with the group's adapter, in the order of the groups, where no sequence begins.
 *
 * @throws Problem for an adapter that replaces weights of the model, which all rows share
 */
export function mixedRunnable(model: Model, groups: readonly RowsOf[]): Runnable {
  const plain = plainRunnable(model);
  for (const { adapter, runnable } of groups) checkShared(adapter, runnable, plain);
  const joinScopes = (scopeOf: (runnable: Runnable) => Scope): Scope => {
    const shared = scopeOf(plain);
    const own = groups.flatMap(({ runnable }, i) =>
      Object.entries(scopeOf(runnable))
        .filter(([name]) => !(name in shared))
        .map(([name, tensor]) => [nameOfMember(name, i), tensor] as const),
    );
    return { ...shared, ...Object.fromEntries(own) };
  };
  return {
    ...plain,
    hooks: sharedHooks(groups),
    adaptedModules: new Set(groups.flatMap(({ runnable }) => [...runnable.adaptedModules])),
    branchScopes: plain.branchScopes.map((_, i) => joinScopes(runnable => runnable.branchScopes[i]!)),
    outerScope: joinScopes(({ outerScope }) => outerScope),
  };
}

function checkShared(adapter: string | undefined, { branchScopes, outerScope }: Runnable, plain: Runnable): void {
  const replaced = [
    ...branchScopes.map((scope, i) => findReplaced(scope, plain.branchScopes[i]!)),
    findReplaced(outerScope, plain.outerScope),
  ].find(name => name !== undefined);
  const ownHead = `${tokenHead(plain.model).path}.weight`;
  const isUntied = ownHead in outerScope && !(ownHead in plain.outerScope);
  if (replaced === undefined && !isUntied) return;
  throw problem('compose', {
    what: `the adapter '${adapter!}' cannot share a batch with others: it replaces '${replaced ?? ownHead}' of the model`,
    expected: 'adapters that leave the weights of the model as they are',
    fix: 'generate its rows in a batch of their own',
  });
}

/** A weight of the model that is another one in this scope. */
function findReplaced(scope: Scope, plain: Scope): string | undefined {
  return Object.keys(scope).find(name => name in plain && scope[name] !== plain[name]);
}

const numbers = new WeakMap<Hooks, number>();
let count = 0;
/** By the first of the hooks that are mixed, so that they go with it, and what was compiled for them. */
const known = new WeakMap<Hooks, Map<string, Hooks>>();

/** The same object for groups of the same hooks and sizes, so that an engine compiles once for all batches of a kind. */
function sharedHooks(groups: readonly RowsOf[]): Hooks {
  const members = groups.map(({ runnable: { hooks }, rows }) => ({ hooks, rows: rows.length }));
  const key = members.map(({ hooks, rows }) => `${numberOf(hooks)}:${rows}`).join(' ');
  const [first] = members;
  const ofFirst = known.get(first!.hooks) ?? new Map<string, Hooks>();
  const hooks = ofFirst.get(key) ?? mixedHooks(members);
  known.set(first!.hooks, ofFirst.set(key, hooks));
  return hooks;
}

function numberOf(hooks: Hooks): number {
  const number = numbers.get(hooks) ?? count++;
  numbers.set(hooks, number);
  return number;
}
