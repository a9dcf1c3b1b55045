import type { Budget } from '../budget.ts';
import { JinjaError } from '../parse/lexer.ts';
import { itemOf } from '../values/members.ts';
import { orderOf } from '../values/operators.ts';
import { textOf } from '../values/pythonText.ts';
import { isTrue, Undefined, type Named, type Value } from '../values/values.ts';

/** What filters and tests need of a rendering. */
export interface FilterContext {
  readonly budget: Budget;
  filter(name: string, value: Value, positional: readonly Value[], named: Named): Value;
  test(name: string, value: Value, positional: readonly Value[], named: Named): boolean;
}

/** A filter: arguments come in the order of `parameters`, and those left out are undefined. */
export interface Filter {
  readonly parameters: readonly string[];
  readonly needed?: number;
  run(value: Value, args: readonly (Value | undefined)[], context: FilterContext): Value;
}

/** Whether an argument is given and true. */
export const flag = (value: Value | undefined): boolean => value !== undefined && isTrue(value);

/** Text without the case, all else as it is: how Jinja2 compares where case does not count. */
export function withoutCase(value: Value): Value {
  return typeof value === 'string' ? value.toLowerCase() : value;
}

/** Reads `a.b.0` of a value. */
export function pathReader(
  path: Value,
  initial: Value | undefined,
  { budget }: FilterContext,
): (value: Value) => Value {
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

/** Sorted by a key, equal values in their order. */
export function sorted(
  values: readonly Value[],
  key: (value: Value) => Value,
  isReversed: boolean,
  budget: Budget,
): Value[] {
  const keyed = values.map(value => [key(value), value] as const);
  // A stable sort that is reversed keeps equal values in their order, as Python's does.
  keyed.sort(([a], [b]) => (isReversed ? orderOf(b, a, '<', budget) : orderOf(a, b, '<', budget)) || 0);
  return keyed.map(([, value]) => value);
}

/** What values are compared by: an attribute or themselves. */
export const sortKey = (
  path: Value | undefined,
  keepsCase: boolean,
  context: FilterContext,
): ((value: Value) => Value) => {
  if (typeof path === 'string' && path.includes(',')) throw new JinjaError('several attributes are not supported');
  const read = path === undefined || path === null ? (value: Value) => value : pathReader(path, undefined, context);
  return value => (keepsCase ? read(value) : withoutCase(read(value)));
};

/** A filter without arguments, of a text. */
export const text = (run: (text: string) => Value): Filter => ({ parameters: [], run: value => run(textOf(value)) });
