import { nearNames, problem } from '@dropbp/basics';
import { matchesTarget, type Model } from '@dropbp/core';

/**
 * Which weights. A list: names of weights or modules, or parts of them between dots. A string: a regular expression that a
 * whole name of a weight matches.
 */
export type Filter = string | readonly string[];

/** Whether the filter names the weight, or a module that it is in. */
export function covers(filter: Filter, name: string): boolean {
  if (typeof filter === 'string') return matchesTarget('peft-full', name, { targetModules: filter });
  return filter.some(part => `.${name}.`.includes(`.${part}.`));
}

/** @throws Problem for what is no filter */
export function checkFilter(option: string, filter: unknown): void {
  if (typeof filter === 'string' && filter !== '') return;
  if (Array.isArray(filter) && filter.every(part => typeof part === 'string' && part !== '')) return;
  const expected = 'a list of names, or a regular expression as a string';
  throw problem('peft-full', { what: `${option} is not usable`, got: filter, expected });
}

/** @throws Problem for a part of a filter that names no weight of the model */
export function checkUsed(option: string, filter: Filter, model: Model): void {
  const names = [...model.parameters.keys()];
  if (typeof filter === 'string') {
    if (names.some(name => covers(filter, name))) return;
    throw problem('peft-full', {
      what: `${option} matches no weight of the model`,
      got: filter,
      expected: 'a string to be a regular expression that matches whole names of weights',
      fix: names.some(name => covers([filter], name))
        ? `did you mean ['${filter}']?`
        : `weights are such as ${names.slice(0, 3).join(', ')}`,
    });
  }
  const unused = filter.filter(part => !names.some(name => covers([part], name)));
  if (unused.length === 0) return;
  const parts = new Set(names.flatMap(name => [name, ...name.split('.')]));
  const near = unused.flatMap(part => nearNames(part, parts));
  throw problem('peft-full', {
    what: `${option}: ${unused.map(part => `'${part}'`).join(', ')} names no weight of the model`,
    expected: 'names of weights or modules, or parts of them between dots',
    ...(near.length > 0 && { fix: `did you mean ${near.map(name => `'${name}'`).join(' or ')}?` }),
  });
}
