import type { FilterContext } from './filters/filter.ts';
import { isFilter } from './filters/applyFilter.ts';
import { JinjaError } from './parse/lexer.ts';
import { compute, isComparison, isEqual } from './values/operators.ts';
import { textOf } from './values/pythonText.ts';
import type { CompareOperator } from './parse/syntax.ts';
import { callTextMethod } from './textMethods.ts';
import {
  Callable,
  Dict,
  DictView,
  intOf,
  isNumber,
  iterate,
  lengthOf,
  Loop,
  Safe,
  Undefined,
  type Named,
  type Value,
} from './values/values.ts';

/** How many arguments a test takes, and what it says. */
type Test = readonly [count: number, run: (value: Value, argument: Value, context: FilterContext) => boolean];

/** Runs a test of Jinja2, `value is name`. @throws JinjaError for one that is not supported, and for what does not fit */
export function runTest(
  name: string,
  value: Value,
  positional: readonly Value[],
  named: Named,
  context: FilterContext,
): boolean {
  context.budget.step();
  const test = Object.hasOwn(tests, name) ? tests[name] : undefined;
  if (test === undefined) {
    throw new JinjaError(name === 'escaped' ? 'the test escaped is not supported' : `there is no test ${name}`);
  }
  const [count, run] = test;
  if (named.size > 0) throw new JinjaError(`the test ${name} takes no arguments by name here`);
  if (positional.length !== count) throw new JinjaError(`the test ${name} takes ${count} arguments`);
  return run(value, positional[0] ?? null, context);
}

/** Whether Jinja2 has a test of this name, supported here or not. */
export function isTest(name: string): boolean {
  return Object.hasOwn(tests, name) || name === 'escaped';
}

const compared = (operator: CompareOperator): Test => [
  1,
  (value, other, { budget }) => isComparison(operator, value, other, budget),
];
const plain = (run: (value: Value) => boolean): Test => [0, run];
const equal = compared('==');
const remainder = (value: Value, divisor: Value, { budget }: FilterContext): Value =>
  compute('%', value, divisor, budget);

const tests: Readonly<Record<string, Test>> = {
  '!=': compared('!='),
  '<': compared('<'),
  '<=': compared('<='),
  '==': equal,
  '>': compared('>'),
  '>=': compared('>='),
  boolean: plain(value => typeof value === 'boolean'),
  callable: plain(value => value instanceof Callable || value instanceof Loop || value instanceof Undefined),
  defined: plain(value => !(value instanceof Undefined)),
  divisibleby: [1, (value, divisor, context) => isEqual(remainder(value, divisor, context), 0n, context.budget)],
  eq: equal,
  equalto: equal,
  even: [0, (value, _, context) => isEqual(remainder(value, 2n, context), 0n, context.budget)],
  false: plain(value => value === false),
  filter: [1, name => typeof name === 'string' && isFilter(name)],
  float: plain(value => typeof value === 'number'),
  ge: compared('>='),
  greaterthan: compared('>'),
  gt: compared('>'),
  in: compared('in'),
  integer: plain(value => typeof value === 'bigint'),
  iterable: plain(value => iterate(value) !== undefined || value instanceof Loop),
  le: compared('<='),
  lessthan: compared('<'),
  lower: [0, (value, _, { budget }) => callTextMethod('islower', textOf(value), [], new Map(), budget) === true],
  lt: compared('<'),
  mapping: plain(value => value instanceof Dict),
  ne: compared('!='),
  none: plain(value => value === null),
  number: plain(isNumber),
  odd: [0, (value, _, context) => isEqual(remainder(value, 2n, context), 1n, context.budget)],
  sameas: [
    1,
    (value, other) => {
      const isOne = (one: Value): boolean => one === null || typeof one === 'boolean';
      if (isOne(value) || isOne(other)) return value === other;
      if (intOf(value) !== undefined || typeof value === 'string' || typeof value === 'number') {
        throw new JinjaError('sameas is supported for booleans, none and objects alone');
      }
      return value === other;
    },
  ],
  sequence: plain(value => lengthOf(value) !== undefined && !(value instanceof DictView) && !(value instanceof Loop)),
  string: plain(value => typeof value === 'string' || value instanceof Safe),
  test: [1, name => typeof name === 'string' && isTest(name)],
  true: plain(value => value === true),
  undefined: plain(value => value instanceof Undefined),
  upper: [0, (value, _, { budget }) => callTextMethod('isupper', textOf(value), [], new Map(), budget) === true],
};
