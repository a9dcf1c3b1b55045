import type { Branch, Scope } from '../../contract/branch.ts';

/** Of a branch's scope, what its join reads. Empty where the result is added. */
export function joinScope({ join }: Pick<Branch, 'join'>, scope: Scope): Scope {
  return join === undefined ? {} : chooseNames(scope, name => isBelow(name, join.modules));
}

/** Of a branch's scope, what the branch itself reads: what gets no gradient where it is dropped. */
export function ownScope({ join }: Pick<Branch, 'join'>, scope: Scope): Scope {
  return join === undefined ? scope : chooseNames(scope, name => !isBelow(name, join.modules));
}

function isBelow(name: string, modules: readonly string[]): boolean {
  return modules.some(module => name.startsWith(`${module}.`));
}

function chooseNames(scope: Scope, isChosen: (name: string) => boolean): Scope {
  return Object.fromEntries(Object.entries(scope).filter(([name]) => isChosen(name)));
}
