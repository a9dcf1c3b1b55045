import { Budget } from './budget.ts';
import { Evaluator, Scope } from './evaluate.ts';
import { JinjaError } from './parse/lexer.ts';
import { textOf } from './values/pythonText.ts';
import { specialNames } from './scopes.ts';
import type { Block, Expression, MacroBody, Statement, Target } from './parse/syntax.ts';
import { Callable, Dict, listOf, Loop, Namespace, Tuple, Undefined, type Value } from './values/values.ts';

/** Leaves the rest of a loop's body out. */
type Jump = 'break' | 'continue' | undefined;

/** What a rendering has written so far. */
type Output = string[];

/** Runs the statements of one rendering. */
export class Renderer {
  readonly #evaluator: Evaluator;
  readonly #budget = new Budget();

  private readonly marks: readonly [start: string, end: string] | undefined;

  /**
   * @param context - what names mean that the template itself does not set
   * @param marks - what is put around the text of `{% generation %}`
   */
  constructor(context: ReadonlyMap<string, Value>, marks: readonly [start: string, end: string] | undefined) {
    this.marks = marks;
    this.#evaluator = new Evaluator(context, this.#budget);
  }

  /** @throws JinjaError where the template cannot go on */
  render(body: Block): string {
    return this.#text(body, new Scope(undefined, body));
  }

  #text(block: Block, scope: Scope): string {
    const output: Output = [];
    this.#run(block.statements, scope, output);
    return this.#budget.made(output.join(''));
  }

  #write(output: Output, text: string): void {
    this.#budget.spend(text.length);
    output.push(text);
  }

  #run(statements: readonly Statement[], scope: Scope, output: Output): Jump {
    for (const statement of statements) {
      this.#budget.step();
      const jump = this.#statement(statement, scope, output);
      if (jump !== undefined) return jump;
    }
    return undefined;
  }

  #statement(statement: Statement, scope: Scope, output: Output): Jump {
    const evaluate = (expression: Expression): Value => this.#evaluator.evaluate(expression, scope);
    switch (statement.kind) {
      case 'data':
        this.#write(output, statement.text);
        return undefined;
      case 'print':
        for (const value of statement.values) this.#write(output, textOf(evaluate(value)));
        return undefined;
      case 'set':
        this.#assign(statement.target, evaluate(statement.value), scope);
        return undefined;
      case 'setBlock': {
        const text = this.#text(statement.body, new Scope(scope, statement.body));
        this.#assign(statement.target, this.#filtered(text, statement.filter, scope), scope);
        return undefined;
      }
      case 'for':
        this.#loop(statement, evaluate(statement.iterable), scope, output, 0);
        return undefined;
      case 'if': {
        for (const [condition, body] of statement.branches) {
          if (this.#evaluator.isTrue(condition, scope)) return this.#run(body, scope, output);
        }
        return this.#run(statement.otherwise, scope, output);
      }
      case 'with': {
        const inner = new Scope(scope, statement.body);
        const values = statement.values.map(([target, value]) => [target, evaluate(value)] as const);
        for (const [target, value] of values) this.#assign(target, value, inner);
        return this.#run(statement.body.statements, inner, output);
      }
      case 'macro':
        scope.set(statement.name, this.#macro(statement.name, statement.macro, scope));
        return undefined;
      case 'callBlock': {
        const caller = this.#macro('caller', statement.macro, scope);
        this.#write(output, textOf(this.#evaluator.call(statement.call, scope, caller)));
        return undefined;
      }
      case 'filterBlock': {
        const text = this.#text(statement.body, new Scope(scope, statement.body));
        this.#write(output, textOf(this.#filtered(text, statement.filter, scope)));
        return undefined;
      }
      case 'generation': {
        const text = this.#text(statement.body, new Scope(scope, statement.body));
        this.#write(output, this.marks === undefined ? text : this.marks[0] + text + this.marks[1]);
        return undefined;
      }
      case 'break':
      case 'continue':
        return statement.kind;
      case 'unavailable':
        throw new JinjaError(`{% ${statement.name} %} needs other templates, and there are none`);
    }
  }

  #filtered(text: string, filter: Expression | undefined, scope: Scope): Value {
    return filter === undefined ? text : this.#evaluator.evaluate(filter, scope, text);
  }

  #assign(target: Target, value: Value, scope: Scope): void {
    if (target.kind === 'name') scope.set(target.name, value);
    else if (target.kind === 'member') {
      const object = this.#evaluator.lookUp(target.name, scope);
      if (!(object instanceof Namespace)) throw new JinjaError('only the members of a namespace can be set');
      setMember(object, target.attribute, value);
    } else {
      const values = listOf(value);
      if (values.length !== target.items.length) {
        throw new JinjaError(`${target.items.length} names cannot take ${values.length} values`);
      }
      for (const [i, item] of target.items.entries()) this.#assign(item, values[i]!, scope);
    }
  }

  #loop(statement: Statement & { kind: 'for' }, iterable: Value, scope: Scope, output: Output, depth: number): void {
    const { target, condition, body, otherwise, isRecursive } = statement;
    let items = listOf(iterable);
    this.#budget.spend(items.length);
    if (condition !== undefined) {
      items = items.filter(item => {
        const inner = new Scope(scope);
        this.#assign(target, item, inner);
        return this.#evaluator.isTrue(condition, inner);
      });
    }
    const recurse = (inner: Value): string => {
      const text: Output = [];
      this.#budget.call(() => this.#loop(statement, inner, scope, text, depth + 1));
      return this.#budget.made(text.join(''));
    };
    const loop = new Loop(items, depth, isRecursive ? recurse : undefined);
    for (const item of items) {
      this.#budget.step(4);
      loop.index++;
      const inner = new Scope(scope, body);
      inner.set('loop', loop);
      this.#assign(target, item, inner);
      if (this.#run(body.statements, inner, output) === 'break') break;
    }
    if (items.length === 0 && otherwise !== undefined) {
      this.#run(otherwise.statements, new Scope(scope, otherwise), output);
    }
  }

  #macro(name: string, { parameters, body }: MacroBody, outer: Scope): Callable {
    const special = specialNames(body);
    return new Callable(name, (positional, named) =>
      this.#budget.call(() => {
        const scope = new Scope(outer, body);
        const rest = new Map(named);
        for (const [i, parameter] of parameters.entries()) {
          let value = positional[i];
          if (value === undefined) {
            value = rest.get(parameter.name);
            rest.delete(parameter.name);
          }
          scope.set(
            parameter.name,
            value === undefined ? new Undefined(`the parameter ${parameter.name} was not given`) : value,
          );
          if (value === undefined && parameter.initial !== undefined) {
            scope.set(parameter.name, this.#evaluator.evaluate(parameter.initial, scope));
          }
        }
        if (special.includes('caller') && parameters.every(parameter => parameter.name !== 'caller')) {
          scope.set('caller', rest.get('caller') ?? new Undefined('no caller was given'));
          rest.delete('caller');
        }
        if (special.includes('kwargs')) scope.set('kwargs', new Dict(rest));
        else if (rest.size > 0) throw new JinjaError(`the macro ${name} does not take ${[...rest.keys()].join(', ')}`);
        if (special.includes('varargs')) scope.set('varargs', new Tuple(positional.slice(parameters.length)));
        else if (positional.length > parameters.length) {
          throw new JinjaError(`the macro ${name} takes ${parameters.length} arguments, not ${positional.length}`);
        }
        return this.#text(body, scope);
      }),
    );
  }
}

/** Gives a namespace a member. @throws JinjaError for a name that transformers refuses */
export function setMember(namespace: Namespace, name: string, value: Value): void {
  if (name.startsWith('_')) throw new JinjaError(`a namespace cannot have the member ${name}: it begins with _`);
  namespace.members.set(name, value);
}
