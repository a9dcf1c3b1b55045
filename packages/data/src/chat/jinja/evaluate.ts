import type { Budget } from './budget.ts';
import { applyFilter } from './filters/applyFilter.ts';
import type { FilterContext } from './filters/filter.ts';
import { JinjaError } from './parse/lexer.ts';
import { attributeOf, itemOf } from './values/members.ts';
import { compute, isComparison, signed } from './values/operators.ts';
import { textOf } from './values/pythonText.ts';
import { sliceOf } from './values/slice.ts';
import type { Arguments, Block, Expression } from './parse/syntax.ts';
import { runTest } from './tests.ts';
import { Callable, Dict, isTrue, kindOf, listOf, Loop, Tuple, Undefined, undefinedError, type Value } from './values/values.ts'; // prettier-ignore

const NOT_SET = Symbol('not set');

/** The names of a block and of those around it. */
export class Scope {
  private readonly values = new Map<string, Value | typeof NOT_SET>();

  private readonly outer: Scope | undefined;

  constructor(outer: Scope | undefined, block?: Block) {
    this.outer = outer;
    for (const name of block?.unset ?? []) this.values.set(name, NOT_SET);
  }

  set(name: string, value: Value): void {
    this.values.set(name, value);
  }

  /** What a name stands for; undefined where no block knows it. */
  get(name: string): Value | typeof NOT_SET | undefined {
    let found = this.values.get(name);
    for (let { outer } = this; found === undefined && outer !== undefined; outer = outer.outer) {
      found = outer.values.get(name);
    }
    return found;
  }
}

/** Computes the expressions of one rendering. */
export class Evaluator {
  private readonly filters: FilterContext;

  private readonly context: ReadonlyMap<string, Value>;
  private readonly budget: Budget;

  constructor(context: ReadonlyMap<string, Value>, budget: Budget) {
    this.context = context;
    this.budget = budget;
    this.filters = {
      budget,
      filter: (name, value, positional, named) => applyFilter(name, value, positional, named, this.filters),
      test: (name, value, positional, named) => runTest(name, value, positional, named, this.filters),
    };
  }

  /** What a name stands for. */
  lookUp(name: string, scope: Scope): Value {
    const found = scope.get(name);
    if (found !== undefined && found !== NOT_SET) return found;
    const value = found === NOT_SET ? undefined : this.context.get(name);
    if (value === undefined && found !== NOT_SET && UNSUPPORTED.has(name))
      throw new JinjaError(`${name} is not supported`);
    return value === undefined ? new Undefined(`'${name}' is undefined`) : value;
  }

  isTrue(expression: Expression, scope: Scope): boolean {
    return isTrue(this.evaluate(expression, scope));
  }

  /** @param text - what the filters of a block are applied to */
  evaluate(expression: Expression, scope: Scope, text?: string): Value {
    this.budget.step();
    switch (expression.kind) {
      case 'constant':
        return expression.value;
      case 'name':
        return this.lookUp(expression.name, scope);
      case 'list':
        return expression.items.map(item => this.evaluate(item, scope));
      case 'tuple':
        return new Tuple(expression.items.map(item => this.evaluate(item, scope)));
      case 'concat': {
        const parts = expression.items.map(item => textOf(this.evaluate(item, scope)));
        return this.budget.made(parts.join(''));
      }
      case 'dict':
        return new Dict(expression.entries.map(([key, value]) => [this.evaluate(key, scope), this.evaluate(value, scope)])); // prettier-ignore
      case 'attribute':
        return attributeOf(this.evaluate(expression.object, scope), expression.name, this.budget);
      case 'item': {
        const object = this.evaluate(expression.object, scope);
        const { key } = expression;
        if (key.kind !== 'slice') return itemOf(object, this.evaluate(key, scope), this.budget);
        const parts = key.parts.map(part => (part === undefined ? null : this.evaluate(part, scope)));
        return sliceOf(object, parts as [Value, Value, Value], this.budget);
      }
      case 'slice':
        throw new JinjaError('a slice cannot stand beside other keys');
      case 'call':
        return this.call(expression, scope);
      case 'filter': {
        const value = expression.operand === undefined ? text! : this.evaluate(expression.operand, scope, text);
        const [positional, named] = this.arguments(expression.args, scope);
        return applyFilter(expression.name, value, positional, named, this.filters);
      }
      case 'test': {
        const value = this.evaluate(expression.operand, scope);
        const [positional, named] = this.arguments(expression.args, scope);
        return runTest(expression.name, value, positional, named, this.filters);
      }
      case 'unary': {
        const value = this.evaluate(expression.operand, scope);
        return expression.operator === 'not' ? !isTrue(value) : signed(expression.operator, value);
      }
      case 'binary': {
        const left = this.evaluate(expression.left, scope);
        return compute(expression.operator, left, this.evaluate(expression.right, scope), this.budget);
      }
      case 'logic': {
        const left = this.evaluate(expression.left, scope);
        return isTrue(left) === (expression.operator === 'or') ? left : this.evaluate(expression.right, scope);
      }
      case 'compare': {
        let left = this.evaluate(expression.first, scope);
        for (const [operator, operand] of expression.rest) {
          const right = this.evaluate(operand, scope);
          if (!isComparison(operator, left, right, this.budget)) return false;
          left = right;
        }
        return true;
      }
      case 'choice': {
        const { condition, then, otherwise } = expression;
        if (this.isTrue(condition, scope)) return this.evaluate(then, scope);
        if (otherwise !== undefined) return this.evaluate(otherwise, scope);
        return new Undefined('the condition was not met, and there is no else');
      }
    }
  }

  /** @param caller - the block of a call, for the macro that is called */
  call(expression: Expression & { kind: 'call' }, scope: Scope, caller?: Callable): Value {
    const callee = this.evaluate(expression.callee, scope);
    const [positional, named] = this.arguments(expression.args, scope);
    if (callee instanceof Undefined) throw undefinedError(callee);
    if (caller !== undefined) named.set('caller', caller);
    if (callee instanceof Loop) {
      if (callee.recurse === undefined) throw new JinjaError('only a recursive loop can be called');
      if (positional.length !== 1 || named.size > 0) throw new JinjaError('a loop is called with one list');
      return callee.recurse(positional[0]!);
    }
    if (!(callee instanceof Callable)) throw new JinjaError(`${kindOf(callee)} cannot be called`);
    return callee.call(positional, named);
  }

  private arguments(args: Arguments, scope: Scope): [positional: Value[], named: Map<string, Value>] {
    const { positional: own, named: ownNamed, spread, namedSpread } = args;
    const positional = own.map(value => this.evaluate(value, scope));
    const named = new Map(ownNamed.map(([name, value]) => [name, this.evaluate(value, scope)]));
    if (spread !== undefined) {
      for (const value of listOf(this.evaluate(spread, scope))) positional.push(value);
      this.budget.spend(positional.length);
    }
    if (namedSpread !== undefined) {
      const more = this.evaluate(namedSpread, scope);
      if (!(more instanceof Dict)) throw new JinjaError(`** needs a dict, not ${kindOf(more)}`);
      for (const [name, value] of more.entries()) {
        if (typeof name !== 'string' || named.has(name)) throw new JinjaError('** gives an argument twice, or without a name'); // prettier-ignore
        named.set(name, value);
      }
    }
    return [positional, named];
  }
}

/** Names that mean something to Jinja2 and that are not supported. */
const UNSUPPORTED = new Set(['cycler', 'joiner', 'lipsum', 'self', 'super']);
