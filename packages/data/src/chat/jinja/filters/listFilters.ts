import { JinjaError } from '../parse/lexer.ts';
import { memberOf } from '../values/members.ts';
import { compute, orderOf } from '../values/operators.ts';
import { textOf } from '../values/pythonText.ts';
import {
  Dict,
  Generator,
  hashOf,
  isTrue,
  iterate,
  kindOf,
  lengthOf,
  listOf,
  Tuple,
  Undefined,
  type Value,
} from '../values/values.ts';
import { flag, withoutCase, pathReader, sorted, sortKey, type Filter } from './filter.ts';

const byDefault: Filter = {
  parameters: ['default_value', 'boolean'],
  run: (value, [initial = '', boolean]) =>
    value instanceof Undefined || (flag(boolean) && !isTrue(value)) ? initial : value,
};

const length: Filter = {
  parameters: [],
  run(value) {
    const found = lengthOf(value);
    if (found === undefined) throw new JinjaError(`${kindOf(value)} has no length`);
    return BigInt(found);
  },
};

const extreme = (isMost: boolean): Filter => ({
  parameters: ['case_sensitive', 'attribute'],
  run(value, [keepsCase, path], context) {
    const items = listOf(value);
    if (items.length === 0) return new Undefined('an empty list has no least and no largest item');
    const key = sortKey(path, flag(keepsCase), context);
    return items.reduce((best, item) => {
      const order = orderOf(key(item), key(best), '<', context.budget);
      return (isMost ? order > 0 : order < 0) ? item : best;
    });
  },
});

/** Filters of lists, dicts and their items. */
export const listFilters: Readonly<Record<string, Filter>> = {
  attr: {
    parameters: ['name'],
    needed: 1,
    run(value, [name], { budget }) {
      const member = memberOf(value, textOf(name!), budget);
      return member === undefined ? new Undefined(`${kindOf(value)} has no member ${textOf(name!)}`) : member;
    },
  },
  count: length,
  d: byDefault,
  default: byDefault,
  dictsort: {
    parameters: ['case_sensitive', 'by', 'reverse'],
    run(value, [keepsCase, by = 'key', reverse], { budget }) {
      if (!(value instanceof Dict)) throw new JinjaError(`dictsort needs a dict, not ${kindOf(value)}`);
      if (by !== 'key' && by !== 'value') throw new JinjaError("dictsort sorts by 'key' or 'value'");
      const key = (entry: Value): Value => {
        const part = entry instanceof Tuple ? entry.items[by === 'key' ? 0 : 1]! : entry;
        return flag(keepsCase) ? part : withoutCase(part);
      };
      return sorted(value.entries().map(entry => new Tuple(entry)), key, flag(reverse), budget); // prettier-ignore
    },
  },
  first: {
    parameters: [],
    run: value => {
      const items = iterate(value);
      if (items === undefined) throw new JinjaError(`${kindOf(value)} has no first item`);
      const found = items[Symbol.iterator]().next();
      return found.done === true ? new Undefined('an empty list has no first item') : found.value;
    },
  },
  items: {
    parameters: [],
    run(value) {
      if (value instanceof Undefined) return new Generator([][Symbol.iterator]());
      // Python refuses others only once the items are looped over.
      if (!(value instanceof Dict)) throw new JinjaError(`items needs a dict, not ${kindOf(value)}`);
      return new Generator(value.entries().map(entry => new Tuple(entry))[Symbol.iterator]()); // prettier-ignore
    },
  },
  last: {
    parameters: [],
    run(value) {
      if (value instanceof Generator) throw new JinjaError("a generator has no last item (put '| list' before it)");
      const items = listOf(value);
      return items.length === 0 ? new Undefined('an empty list has no last item') : items.at(-1)!;
    },
  },
  length,
  list: { parameters: [], run: value => listOf(value) },
  max: extreme(true),
  min: extreme(false),
  reverse: {
    parameters: [],
    run(value) {
      const items = listOf(value).reverse();
      if (typeof value === 'string') return items.map(textOf).join('');
      return value instanceof Generator ? items : new Generator(items[Symbol.iterator]());
    },
  },
  sort: {
    parameters: ['reverse', 'case_sensitive', 'attribute'],
    run: (value, [reverse, keepsCase, path], context) =>
      sorted(listOf(value), sortKey(path, flag(keepsCase), context), flag(reverse), context.budget),
  },
  sum: {
    parameters: ['attribute', 'start'],
    run(value, [path, start = 0n], context) {
      const read = path === undefined || path === null ? (item: Value) => item : pathReader(path, undefined, context);
      if (typeof start === 'string') throw new JinjaError('texts cannot be summed');
      return listOf(value).reduce((sum: Value, item) => compute('+', sum, read(item), context.budget), start);
    },
  },
  unique: {
    parameters: ['case_sensitive', 'attribute'],
    run(value, [keepsCase, path], context) {
      const key = sortKey(path, flag(keepsCase), context);
      const seen = new Set<string>();
      const kept = listOf(value).filter(item => {
        const hash = hashOf(key(item));
        return !seen.has(hash) && seen.add(hash);
      });
      return new Generator(kept[Symbol.iterator]());
    },
  },
};
