import { formatPercent } from '../values/formatText.ts';
import { JinjaError } from '../parse/lexer.ts';
import { textOf } from '../values/pythonText.ts';
import { Dict, Generator, isTrue, listOf, Tuple, type Named, type Value } from '../values/values.ts';
import { pathReader, type FilterContext } from './filter.ts';

/** Filters that take any arguments: those of `format`, or the name of another filter or test and its arguments. */
export const choosingFilters: Readonly<
  Record<string, (value: Value, positional: readonly Value[], named: Named, context: FilterContext) => Value>
> = {
  format(value, positional, named, { budget }) {
    if (positional.length > 0 && named.size > 0) throw new JinjaError('format takes values by place or by name');
    return formatPercent(textOf(value), named.size > 0 ? new Dict(named) : new Tuple(positional), budget);
  },
  map(value, positional, named, context) {
    if (!isTrue(value)) return new Generator([][Symbol.iterator]());
    const [name, ...args] = positional;
    if (name === undefined) {
      const path = named.get('attribute');
      if (path === undefined || [...named.keys()].some(key => key !== 'attribute' && key !== 'default')) {
        throw new JinjaError('map needs the name of a filter, or an attribute');
      }
      return generated(value, pathReader(path, named.get('default'), context));
    }
    return generated(value, item => context.filter(textOf(name), item, args, named));
  },
  reject: (value, positional, named, context) => chosen(value, positional, named, context, false, false),
  rejectattr: (value, positional, named, context) => chosen(value, positional, named, context, true, false),
  select: (value, positional, named, context) => chosen(value, positional, named, context, false, true),
  selectattr: (value, positional, named, context) => chosen(value, positional, named, context, true, true),
};

function generated(value: Value, make: (item: Value) => Value): Generator {
  // At once, where Python waits: values cannot change in between, and errors come either way once they are looped over.
  return new Generator(listOf(value).map(make)[Symbol.iterator]());
}

function chosen(
  value: Value,
  positional: readonly Value[],
  named: Named,
  context: FilterContext,
  byAttribute: boolean,
  isKept: boolean,
): Generator {
  if (!isTrue(value)) return new Generator([][Symbol.iterator]());
  const rest = [...positional];
  let read = (item: Value): Value => item;
  if (byAttribute) {
    const path = rest.shift();
    if (path === undefined) throw new JinjaError('selectattr and rejectattr need the name of an attribute');
    read = pathReader(path, undefined, context);
  }
  const [name, ...args] = rest;
  const passes = (item: Value): boolean =>
    name === undefined ? isTrue(read(item)) : context.test(textOf(name), read(item), args, named);
  return new Generator(listOf(value).filter(item => passes(item) === isKept)[Symbol.iterator]()); // prettier-ignore
}
