import type { Budget } from './budget.ts';
import { fixed, formatPercent, wholePart } from './values/formatText.ts';
import { JinjaError } from './parse/lexer.ts';
import { itemOf, memberOf } from './values/members.ts';
import { compute, orderOf } from './values/operators.ts';
import { jsonOf, textOf } from './values/pythonText.ts';
import { capitalized, joinTexts, padText, replaceText, splitLines, stripText } from './textMethods.ts';
import {
  Dict,
  Generator,
  hashOf,
  intOf,
  isNumber,
  isTrue,
  iterate,
  kindOf,
  lengthOf,
  listOf,
  Safe,
  Tuple,
  Undefined,
  undefinedError,
  type Named,
  type Value,
} from './values/values.ts';

/** What filters and tests need of a rendering. */
export interface FilterContext {
  readonly budget: Budget;
  filter(name: string, value: Value, positional: readonly Value[], named: Named): Value;
  test(name: string, value: Value, positional: readonly Value[], named: Named): boolean;
}

/** A filter: arguments come in the order of `parameters`, and those left out are undefined. */
interface Filter {
  readonly parameters: readonly string[];
  readonly needed?: number;
  run(value: Value, args: readonly (Value | undefined)[], context: FilterContext): Value;
}

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
  const many = Object.hasOwn(choosing, name) ? choosing[name] : undefined;
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
  return Object.hasOwn(filters, name) || Object.hasOwn(choosing, name) || knownFilters.has(name);
}

const knownFilters = new Set(['batch', 'e', 'escape', 'filesizeformat', 'forceescape', 'groupby', 'pprint', 'random', 'slice', 'striptags', 'urlencode', 'urlize', 'wordcount', 'wordwrap', 'xmlattr']); // prettier-ignore

const flag = (value: Value | undefined): boolean => value !== undefined && isTrue(value);

/** Text without the case, all else as it is: how Jinja2 compares where case does not count. */
function withoutCase(value: Value): Value {
  return typeof value === 'string' ? value.toLowerCase() : value;
}

/** Reads `a.b.0` of a value. */
function pathReader(path: Value, initial: Value | undefined, { budget }: FilterContext): (value: Value) => Value {
  const parts: Value[] =
    typeof path === 'string'
      ? path.split('.').map(part => (/^\d+$/.test(part) ? BigInt(part) : part))
      : [path]; // prettier-ignore
  return value => {
    let found = value;
    for (const part of parts) {
      found = itemOf(found, part, budget);
      if (found instanceof Undefined && initial !== undefined && initial !== null) found = initial;
    }
    return found;
  };
}

function sorted(values: readonly Value[], key: (value: Value) => Value, isReversed: boolean, budget: Budget): Value[] {
  const keyed = values.map(value => [key(value), value] as const);
  // A stable sort that is reversed keeps equal values in their order, as Python's does.
  keyed.sort(([a], [b]) => (isReversed ? orderOf(b, a, '<', budget) : orderOf(a, b, '<', budget)) || 0);
  return keyed.map(([, value]) => value);
}

const sortKey = (path: Value | undefined, keepsCase: boolean, context: FilterContext): ((value: Value) => Value) => {
  if (typeof path === 'string' && path.includes(',')) throw new JinjaError('several attributes are not supported');
  const read = path === undefined || path === null ? (value: Value) => value : pathReader(path, undefined, context);
  return value => (keepsCase ? read(value) : withoutCase(read(value)));
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

const text = (run: (text: string) => Value): Filter => ({ parameters: [], run: value => run(textOf(value)) });

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

const filters: Readonly<Record<string, Filter>> = {
  abs: {
    parameters: [],
    run(value) {
      const int = intOf(value);
      if (int !== undefined) return int < 0n ? -int : int;
      if (typeof value === 'number') return Math.abs(value);
      throw value instanceof Undefined ? undefinedError(value) : new JinjaError(`${kindOf(value)} is not a number`);
    },
  },
  attr: {
    parameters: ['name'],
    needed: 1,
    run(value, [name], { budget }) {
      const member = memberOf(value, textOf(name!), budget);
      return member === undefined ? new Undefined(`${kindOf(value)} has no member ${textOf(name!)}`) : member;
    },
  },
  capitalize: text(capitalized),
  center: { parameters: ['width'], run: (value, [width = 80n], { budget }) => padText(textOf(value), width, ' ', 'both', budget) }, // prettier-ignore
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
  float: {
    parameters: ['default'],
    run(value, [initial = 0]) {
      if (value instanceof Undefined) throw undefinedError(value);
      const int = intOf(value);
      if (int !== undefined) return exactFloat(int);
      return typeof value === 'number'
        ? value
        : ((typeof value === 'string' ? floatOfText(value) : undefined) ?? initial);
    },
  },
  indent: {
    parameters: ['width', 'first', 'blank'],
    run(value, [width = 4n, first, blank], { budget }) {
      if (typeof value !== 'string') throw new JinjaError(`indent needs a text, not ${kindOf(value)}`);
      const indent = typeof width === 'string' ? width : padText('', width, ' ', 'left', budget);
      const lines = splitLines(`${value}\n`);
      budget.spend(value.length + lines.length * indent.length);
      const rest = lines.slice(1).map(line => (line !== '' || flag(blank) ? indent + line : line));
      return (flag(first) ? indent : '') + [lines[0]!, ...rest].join('\n');
    },
  },
  int: {
    parameters: ['default', 'base'],
    run(value, [initial = 0n, base = 10n]) {
      if (value instanceof Undefined) throw undefinedError(value);
      if (base !== 10n) throw new JinjaError('the filter int is supported for base 10 alone');
      const int = intOf(value);
      if (int !== undefined) return int;
      if (typeof value === 'number') return Number.isFinite(value) ? wholePart(value) : initial;
      if (typeof value !== 'string') return initial;
      const stripped = stripText(value, undefined, true, true);
      if (/^[-+]?\d+(_\d+)*$/.test(stripped)) {
        if (stripped.length > 4300) throw new JinjaError('an int of so many digits is not read');
        const digits = stripped.replaceAll('_', '').replace('+', '');
        return digits.startsWith('-') ? -BigInt(digits.slice(1)) : BigInt(digits);
      }
      const float = floatOfText(value);
      return float !== undefined && Number.isFinite(float) ? wholePart(float) : initial;
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
  join: {
    parameters: ['d', 'attribute'],
    run(value, [between = '', path], context) {
      const items = listOf(value);
      const read = path === undefined || path === null ? (item: Value) => item : pathReader(path, undefined, context);
      return joinTexts(items.map(item => textOf(read(item))), textOf(between), context.budget); // prettier-ignore
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
  lower: text(value => value.toLowerCase()),
  max: extreme(true),
  min: extreme(false),
  replace: {
    parameters: ['old', 'new', 'count'],
    needed: 2,
    run(value, [from, to, count], { budget }) {
      if (value instanceof Safe) throw new JinjaError("replace is not supported for a text marked by 'safe'");
      const times = count === undefined || count === null ? -1n : intOf(count);
      if (times === undefined) throw new JinjaError('the count of replace is an int');
      return replaceText(textOf(value), textOf(from!), textOf(to!), times, budget);
    },
  },
  reverse: {
    parameters: [],
    run(value) {
      const items = listOf(value).reverse();
      if (typeof value === 'string') return items.map(textOf).join('');
      return value instanceof Generator ? items : new Generator(items[Symbol.iterator]());
    },
  },
  round: {
    parameters: ['precision', 'method'],
    run(value, [precision = 0n, method = 'common']) {
      const decimals = intOf(precision);
      if (value instanceof Undefined) throw undefinedError(value);
      if (!isNumber(value) || decimals === undefined) throw new JinjaError('round needs numbers');
      if (decimals < 0n) throw new JinjaError('round to tens is not supported');
      if (method === 'common') {
        const int = intOf(value);
        if (int !== undefined) return int;
        return Number.isFinite(value) ? Number(fixed(value as number, Number(decimals))) : value;
      }
      if (method !== 'ceil' && method !== 'floor') throw new JinjaError("round takes 'common', 'ceil' or 'floor'");
      const factor = 10 ** Number(decimals);
      const scaled = Number(intOf(value) ?? value) * factor;
      if (!(Math.abs(scaled) < 2 ** 53)) throw new JinjaError('round is not supported for so large a number');
      const whole = method === 'ceil' ? Math.ceil(scaled) : Math.floor(scaled);
      return (whole === 0 ? 0 : whole) / factor;
    },
  },
  safe: { parameters: [], run: value => new Safe(textOf(value)) },
  sort: {
    parameters: ['reverse', 'case_sensitive', 'attribute'],
    run: (value, [reverse, keepsCase, path], context) =>
      sorted(listOf(value), sortKey(path, flag(keepsCase), context), flag(reverse), context.budget),
  },
  string: { parameters: [], run: value => (value instanceof Safe ? value : textOf(value)) },
  sum: {
    parameters: ['attribute', 'start'],
    run(value, [path, start = 0n], context) {
      const read = path === undefined || path === null ? (item: Value) => item : pathReader(path, undefined, context);
      if (typeof start === 'string') throw new JinjaError('texts cannot be summed');
      return listOf(value).reduce((sum: Value, item) => compute('+', sum, read(item), context.budget), start);
    },
  },
  title: text(value =>
     
    value.split(/([-\s\x1c-\x1f\x85({[<]+)/).filter(part => part !== '').map(part => {
      if (part.includes('\ufeff')) throw new JinjaError('title is not supported for U+FEFF');
      const first = Array.from(part)[0]!;
      return first.toUpperCase() + part.slice(first.length).toLowerCase();
    }).join(''),
  ), // prettier-ignore
  tojson: {
    parameters: ['ensure_ascii', 'indent', 'separators', 'sort_keys'],
    run(value, [ensureAscii, indent, separators, sortKeys], { budget }) {
      const width = intOf(indent ?? null);
      if (indent !== undefined && indent !== null && width === undefined && typeof indent !== 'string') throw new JinjaError('the indent of tojson is an int or a text'); // prettier-ignore
      if (width !== undefined && width > 1000n) throw new JinjaError('an indent beyond 1000 is not supported');
      const isInLines = indent !== undefined && indent !== null;
      const given = separators instanceof Tuple ? separators.items : separators;
      const pair = given === undefined || given === null ? [isInLines ? ',' : ', ', ': '] : listOf(given);
      if (pair.length !== 2 || pair.some(one => typeof one !== 'string')) throw new JinjaError('the separators of tojson are two texts'); // prettier-ignore
      return budget.made(
        jsonOf(value, {
          escapesNonAscii: flag(ensureAscii),
          indent: typeof indent === 'string' ? indent : isInLines ? ' '.repeat(Math.max(0, Number(width))) : undefined,
          separators: pair as unknown as [string, string],
          sort: flag(sortKeys) ? keys => sorted(keys, key => key, false, budget) : undefined,
        }),
      );
    },
  },
  trim: { parameters: ['chars'], run: (value, [characters]) => stripText(textOf(value), characters, true, true) },
  truncate: {
    parameters: ['length', 'killwords', 'end', 'leeway'],
    run(value, [most = 255n, killWords, end = '...', leeway = 5n]) {
      const [limit, slack] = [intOf(most), intOf(leeway ?? 5n)];
      if (typeof value !== 'string' || typeof end !== 'string' || limit === undefined || slack === undefined) throw new JinjaError('truncate needs a text'); // prettier-ignore
      const [characters, endLength] = [Array.from(value), lengthOf(end)!];
      if (Number(limit) < endLength || slack < 0n) throw new JinjaError('the length of truncate is too small');
      if (characters.length <= Number(limit + slack)) return value;
      const kept = characters.slice(0, Number(limit) - endLength).join('');
      const space = flag(killWords) ? -1 : kept.lastIndexOf(' ');
      return (space < 0 ? kept : kept.slice(0, space)) + end;
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
  upper: text(value => value.toUpperCase()),
};

/** Filters that take any arguments: those of `format`, or the name of another filter or test and its arguments. */
const choosing: Readonly<
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

function floatOfText(value: string): number | undefined {
  const stripped = stripText(value, undefined, true, true);
  if (/[^\P{Nd}0-9]/u.test(stripped)) throw new JinjaError('digits beyond 0 to 9 are not read as numbers here');
  if (/^[-+]?(\d+(_\d+)*\.?(\d+(_\d+)*)?|\.\d+(_\d+)*)(e[-+]?\d+(_\d+)*)?$/i.test(stripped)) return Number(stripped.replaceAll('_', '')); // prettier-ignore
  if (/^[-+]?(inf|infinity)$/i.test(stripped)) return stripped.startsWith('-') ? -Infinity : Infinity;
  return /^[-+]?nan$/i.test(stripped) ? NaN : undefined;
}

function exactFloat(int: bigint): number {
  const float = Number(int);
  if (Number.isFinite(float)) return float;
  throw new JinjaError(`${int} has no float`);
}
