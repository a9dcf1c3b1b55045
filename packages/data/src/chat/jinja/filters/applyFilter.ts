import { JinjaError } from '../parse/lexer.ts';
import { lengthOf, type Named, type Value } from '../values/values.ts';
import { choosingFilters } from './choosingFilters.ts';
import type { Filter, FilterContext } from './filter.ts';
import { listFilters } from './listFilters.ts';
import { numberFilters } from './numberFilters.ts';
import { textFilters } from './textFilters.ts';

const filters: Readonly<Record<string, Filter>> = { ...listFilters, ...numberFilters, ...textFilters };

/** Applies a filter of Jinja2. @throws JinjaError for one that is not supported, and for arguments that do not fit */
export function applyFilter(
  name: string,
  value: Value,
  positional: readonly Value[],
  named: Named,
  context: FilterContext,
): Value {
  const { budget } = context;
  budget.spend(lengthOf(value) ?? 0);
  const many = Object.hasOwn(choosingFilters, name) ? choosingFilters[name] : undefined;
  if (many !== undefined) return many(value, positional, named, context);
  const filter = Object.hasOwn(filters, name) ? filters[name] : undefined;
  if (filter === undefined) {
    throw new JinjaError(knownFilters.has(name) ? `the filter ${name} is not supported` : `there is no filter ${name}`);
  }
  const { parameters, needed = 0 } = filter;
  const args: (Value | undefined)[] = parameters.map((_, i) => positional[i]);
  for (const [key, argument] of named) {
    const place = parameters.indexOf(key);
    if (place < positional.length) throw new JinjaError(`the filter ${name} does not take the argument ${key}`);
    args[place] = argument;
  }
  if (positional.length > parameters.length || args.slice(0, needed).includes(undefined)) {
    throw new JinjaError(`the filter ${name} takes ${needed} to ${parameters.length} arguments`);
  }
  return filter.run(value, args, context);
}

/** Whether Jinja2 has a filter of this name, supported here or not. */
export function isFilter(name: string): boolean {
  return Object.hasOwn(filters, name) || Object.hasOwn(choosingFilters, name) || knownFilters.has(name);
}

const knownFilters = new Set(['batch', 'e', 'escape', 'filesizeformat', 'forceescape', 'groupby', 'pprint', 'random', 'slice', 'striptags', 'urlencode', 'urlize', 'wordcount', 'wordwrap', 'xmlattr']); // prettier-ignore
