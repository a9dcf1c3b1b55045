import type { Budget } from '../budget.ts';
import { formatPercent } from './formatText.ts';
import { JinjaError } from '../parse/lexer.ts';
import type { BinaryOperator, CompareOperator } from '../parse/syntax.ts';
import {
  Dict,
  DictView,
  Generator,
  hashOf,
  intOf,
  isNumber,
  iterate,
  kindOf,
  Range,
  Safe,
  Tuple,
  Undefined,
  undefinedError,
  type Value,
} from './values.ts';

/** Ints beyond this have no exact float, so that Python's division rounds where ours could not. */
const MAX_EXACT = 2n ** 53n;
/** The most bits of an int that arithmetic makes. */
const MAX_BITS = 20_000;

/** A sum, product and so on, as Python computes it. @throws JinjaError for kinds that do not go together */
export function compute(operator: BinaryOperator, left: Value, right: Value, budget: Budget): Value {
  if (isNumber(left) && isNumber(right)) return arithmetic(operator, left, right);
  if (operator === '+') {
    if (typeof left === 'string' && typeof right === 'string') {
      budget.spend(left.length + right.length);
      return left + right;
    }
    const joined = (a: readonly Value[], b: readonly Value[]): Value[] => {
      budget.spend(a.length + b.length);
      return [...a, ...b];
    };
    if (Array.isArray(left) && Array.isArray(right)) return joined(left as readonly Value[], right as readonly Value[]);
    if (left instanceof Tuple && right instanceof Tuple) return new Tuple(joined(left.items, right.items));
  }
  if (operator === '*') {
    const [sequence, count] = isNumber(left) ? [right, left] : [left, right];
    const times = intOf(count);
    if (times !== undefined) {
      const repeated = repeat(sequence, times, budget);
      if (repeated !== undefined) return repeated;
    }
  }
  if (operator === '%' && typeof left === 'string') return formatPercent(left, right, budget);
  for (const value of [left, right]) if (value instanceof Undefined) throw undefinedError(value);
  throw new JinjaError(`${kindOf(left)} ${operator} ${kindOf(right)} cannot be computed`);
}

function repeat(sequence: Value, times: bigint, budget: Budget): Value | undefined {
  const isText = typeof sequence === 'string';
  const items = sequence instanceof Tuple ? sequence.items : sequence;
  if (!isText && !Array.isArray(items)) return undefined;
  const length = (items as string | readonly Value[]).length;
  const count = times > 0n && length > 0 ? Number(times) : 0;
  budget.spend(length * count);
  if (isText) return sequence.repeat(count);
  const repeated = Array.from({ length: count }, () => items as readonly Value[]).flat();
  return sequence instanceof Tuple ? new Tuple(repeated) : repeated;
}

function arithmetic(
  operator: BinaryOperator,
  left: bigint | number | boolean,
  right: bigint | number | boolean,
): Value {
  const [a, b] = [intOf(left), intOf(right)];
  if (a !== undefined && b !== undefined) return integerArithmetic(operator, a, b);
  const [x, y] = [floatOf(left), floatOf(right)];
  switch (operator) {
    case '+':
      return x + y;
    case '-':
      return x - y;
    case '*':
      return x * y;
    case '**':
      return power(x, y);
    case '/':
    case '//':
    case '%': {
      if (y === 0) throw new JinjaError('division by zero');
      if (operator === '/') return x / y;
      const [quotient, remainder] = floorDivision(x, y);
      return operator === '//' ? quotient : remainder;
    }
  }
}

function integerArithmetic(operator: BinaryOperator, a: bigint, b: bigint): Value {
  const bounded = (bits: number, value: () => bigint): bigint => {
    if (bits > MAX_BITS) throw new JinjaError('the template computes with too large a number');
    return value();
  };
  const bits = (value: bigint): number => 4 * value.toString(16).length;
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return bounded(bits(a) + bits(b), () => a * b);
    case '**':
      if (b < 0n) return power(floatOf(a), floatOf(b));
      return bounded(a * a <= 1n ? 0 : bits(a) * Number(b), () => a ** b);
    case '/':
    case '//':
    case '%': {
      if (b === 0n) throw new JinjaError('division by zero');
      if (operator === '/') return floatOf(a) / floatOf(b);
      const remainder = ((a % b) + b) % b;
      return operator === '%' ? remainder : (a - remainder) / b;
    }
  }
}

/** @throws JinjaError for an int without an exact float */
function floatOf(value: bigint | number | boolean): number {
  const int = intOf(value);
  if (int === undefined) return value as number;
  if (int > MAX_EXACT || int < -MAX_EXACT) throw new JinjaError(`${int} is too large to compute with as a float`);
  return Number(int);
}

/** @throws JinjaError for powers that no two machines need to round alike */
function power(x: number, y: number): number {
  if (x === 0 && y < 0) throw new JinjaError('0 has no negative power');
  const result = x ** y;
  const isWhole = Number.isInteger(x) && Number.isInteger(result) && Math.abs(result) <= 2 ** 53;
  const isPowerOfTwo = Math.abs(x) > 0 && Number.isInteger(Math.log2(Math.abs(x)));
  const isExact = y === 0 || y === 1 || (Number.isInteger(y) && Number.isFinite(result) && (isWhole || isPowerOfTwo));
  if (!isExact) throw new JinjaError('powers of floats are supported only where they are exact');
  return result;
}

/** Source: CPython, Objects/floatobject.c. */
function floorDivision(x: number, y: number): [quotient: number, remainder: number] {
  let remainder = x % y;
  let quotient = (x - remainder) / y;
  if (remainder !== 0) {
    if (y < 0 !== remainder < 0) {
      remainder += y;
      quotient -= 1;
    }
  } else remainder = y < 0 ? -0 : 0;
  if (quotient === 0) return [x / y < 0 || Object.is(x / y, -0) ? -0 : 0, remainder];
  const floor = Math.floor(quotient);
  return [quotient - floor > 0.5 ? floor + 1 : floor, remainder];
}

/** Python's `-value` and `+value`. */
export function signed(operator: '-' | '+', value: Value): Value {
  const int = intOf(value);
  if (int !== undefined) return operator === '-' ? -int : int;
  if (typeof value === 'number') return operator === '-' ? -value : value;
  if (value instanceof Undefined) throw undefinedError(value);
  throw new JinjaError(`${operator} cannot be applied to ${kindOf(value)}`);
}

/** A comparison as Python has it. @throws JinjaError for kinds without an order */
export function isComparison(operator: CompareOperator, left: Value, right: Value, budget: Budget): boolean {
  budget.step();
  switch (operator) {
    case '==':
      return isEqual(left, right, budget);
    case '!=':
      return !isEqual(left, right, budget);
    case 'in':
      return contains(right, left, budget);
    case 'not in':
      return !contains(right, left, budget);
    case '<':
    case '<=':
    case '>':
    case '>=': {
      const order = orderOf(left, right, operator, budget);
      if (Number.isNaN(order)) return false;
      if (operator === '<') return order < 0;
      if (operator === '<=') return order <= 0;
      return operator === '>' ? order > 0 : order >= 0;
    }
  }
}

/** Python's `==`. */
export function isEqual(a: Value, b: Value, budget: Budget): boolean {
  budget.step();
  if (isNumber(a) && isNumber(b)) return numberOrder(a, b) === 0;
  if (a instanceof Safe || b instanceof Safe) return isEqual(unmarked(a), unmarked(b), budget);
  if (typeof a === 'string' || typeof b === 'string') return a === b;
  if (a instanceof Undefined && b instanceof Undefined) return true;
  const [x, y] = [a instanceof Tuple ? a.items : a, b instanceof Tuple ? b.items : b];
  if (Array.isArray(x) && Array.isArray(y)) {
    if (a instanceof Tuple !== b instanceof Tuple || x.length !== y.length) return false;
    return (x as readonly Value[]).every((item, i) => isSame(item, (y as readonly Value[])[i]!, budget));
  }
  if (a instanceof Dict && b instanceof Dict) {
    return a.size === b.size && a.entries().every(([key, value]) => {
      const other = b.get(key);
      return other !== undefined && isSame(value, other, budget);
    }); // prettier-ignore
  }
  if (a instanceof Range && b instanceof Range) {
    return a.length === b.length && (a.length === 0 || (a.start === b.start && (a.length === 1 || a.step === b.step)));
  }
  if (a instanceof DictView && b instanceof DictView && a.sort !== 'values') {
    throw new JinjaError('two views of dicts cannot be compared here');
  }
  return a === b;
}

/** Whether values are one or equal, as lists compare what they hold. */
function isSame(a: Value, b: Value, budget: Budget): boolean {
  return (a === b && typeof a !== 'number') || isEqual(a, b, budget);
}

function unmarked(value: Value): Value {
  return value instanceof Safe ? value.text : value;
}

function numberOrder(a: bigint | number | boolean, b: bigint | number | boolean): number {
  const [x, y] = [intOf(a) ?? (a as number), intOf(b) ?? (b as number)];
  // JavaScript compares a bigint with a number exactly, as Python does.
  return x < y ? -1 : x > y ? 1 : x <= y ? 0 : NaN;
}

/** Below 0 where `a` comes first, NaN where no order says. */
export function orderOf(a: Value, b: Value, operator: string, budget: Budget): number {
  budget.step();
  if (isNumber(a) && isNumber(b)) return numberOrder(a, b);
  const [x, y] = [unmarked(a), unmarked(b)];
  if (typeof x === 'string' && typeof y === 'string') {
    budget.spend(Math.min(x.length, y.length));
    return textOrder(x, y);
  }
  const lists: readonly [Value, Value] = [a instanceof Tuple ? a.items : a, b instanceof Tuple ? b.items : b];
  if (Array.isArray(lists[0]) && Array.isArray(lists[1]) && a instanceof Tuple === b instanceof Tuple) {
    const [p, q] = lists as readonly [readonly Value[], readonly Value[]];
    for (let i = 0; i < p.length && i < q.length; i++) {
      if (!isSame(p[i]!, q[i]!, budget)) return orderOf(p[i]!, q[i]!, operator, budget);
    }
    return p.length - q.length;
  }
  for (const value of [a, b]) if (value instanceof Undefined) throw undefinedError(value);
  throw new JinjaError(`${kindOf(a)} ${operator} ${kindOf(b)} has no answer`);
}

/** The order of code points, which differs from that of UTF-16 beyond U+FFFF. */
function textOrder(a: string, b: string): number {
  let i = 0;
  while (i < a.length && i < b.length && a[i] === b[i]) i++;
  if (i === a.length || i === b.length) return a.length - b.length;
  if (i > 0 && /[\ud800-\udbff]/.test(a[i - 1]!)) i--;
  return a.codePointAt(i)! - b.codePointAt(i)!;
}

/** Python's `in`. */
function contains(container: Value, value: Value, budget: Budget): boolean {
  if (typeof container === 'string' || container instanceof Safe) {
    const [text, part] = [unmarked(container) as string, unmarked(value)];
    if (typeof part !== 'string') throw new JinjaError(`${kindOf(value)} cannot be in a text`);
    budget.spend(text.length);
    return part === '' || text.includes(part);
  }
  if (container instanceof Dict) return hashOf(value) !== '' && container.get(value) !== undefined;
  if (container instanceof DictView && container.sort === 'keys') return container.dict.get(value) !== undefined;
  const items = iterate(container);
  if (items === undefined) throw new JinjaError(`nothing can be in ${kindOf(container)}`);
  if (container instanceof Generator) {
    for (let next = container.values.next(); next.done !== true; next = container.values.next()) {
      if (isSame(next.value, value, budget)) return true;
    }
    return false;
  }
  for (const item of items) if (isSame(item, value, budget)) return true;
  return false;
}
