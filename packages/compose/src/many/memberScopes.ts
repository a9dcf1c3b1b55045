import type { Scope } from '@dropbp/core';

/** The name under which a scope holds a tensor of a member. */
export function nameOfMember(name: string, member: number): string {
  return `${name}@${member}`;
}

const ofMember = /@\d+$/;

/** Whether any member has a tensor of its own for this module: what hooks tell an adapted module by. */
export function isAdapted(p: Scope, module: string): boolean {
  return Object.keys(p).some(name => name.startsWith(`${module}.`) && ofMember.test(name));
}

/** Of a scope with the tensors of all members, what one of them sees: those of the model and its own. */
export function memberScopes(): (p: Scope, member: number) => Scope {
  const known = new WeakMap<Scope, Map<number, Scope>>();
  return (p, member) => {
    const scopes = known.get(p) ?? new Map<number, Scope>();
    known.set(p, scopes);
    const scope = scopes.get(member) ?? scopeOf(p, member);
    scopes.set(member, scope);
    return scope;
  };
}

function scopeOf(p: Scope, member: number): Scope {
  const end = nameOfMember('', member);
  const entries = Object.entries(p).flatMap(([name, tensor]) => {
    if (name.endsWith(end)) return [[name.slice(0, -end.length), tensor] as const];
    return ofMember.test(name) ? [] : [[name, tensor] as const];
  });
  return Object.fromEntries(entries);
}
