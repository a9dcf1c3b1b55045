import { JinjaError, type Token } from './lexer.ts';
import type { Arguments, BinaryOperator, CompareOperator, Expression, Target } from './syntax.ts';

/** How deep a template may nest, so that reading it cannot exhaust the stack. */
const MAX_DEPTH = 100;

const COMPARISONS = new Set(['==', '!=', '<', '<=', '>', '>=']);

/** Reads the expressions of a template from its tokens. Source of the grammar: Jinja2 3.1, parser.py. */
export class ExpressionParser {
  protected at = 0;
  /** Names of filters and tests outside conditions: Jinja2 refuses those that it does not know before anything runs. */
  readonly certainNames: (readonly ['filter' | 'test', string, number])[] = [];
  protected conditions = 0;
  private depth = 0;

  private readonly tokens: readonly Token[];

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  protected get token(): Token {
    return this.tokens[this.at]!;
  }

  protected fail(text: string, line: number = this.token.line): never {
    throw new JinjaError(`line ${line}: ${text}`);
  }

  protected isToken(type: Token['type'], text?: string, ahead = 0): boolean {
    const token = this.tokens[Math.min(this.at + ahead, this.tokens.length - 1)]!;
    return token.type === type && (text === undefined || token.text === text);
  }

  protected next(): Token {
    const { token } = this;
    if (token.type !== 'end') this.at++;
    return token;
  }

  protected skip(type: Token['type'], text: string): boolean {
    if (!this.isToken(type, text)) return false;
    this.next();
    return true;
  }

  protected expect(type: Token['type'], text?: string): Token {
    if (!this.isToken(type, text)) this.fail(`${text ?? type} is expected, not ${this.shown()}`);
    return this.next();
  }

  protected shown(): string {
    const { type, text } = this.token;
    if (type === 'end') return 'the end of the template';
    return text === '' ? `the ${type === 'endBlock' || type === 'endVariable' ? 'end of the tag' : type}` : `'${text}'`;
  }

  /** Runs a part of the parser one level deeper. */
  protected nest<T>(parse: () => T): T {
    if (++this.depth > MAX_DEPTH) this.fail(`the template is nested deeper than ${MAX_DEPTH} levels`);
    const result = parse();
    this.depth--;
    return result;
  }

  protected expression(withChoice = true): Expression {
    return this.nest(() => (withChoice ? this.choice() : this.or()));
  }

  private choice(): Expression {
    const line = this.token.line;
    const before = this.certainNames.length;
    let then = this.or();
    for (let count = 0; this.skip('name', 'if'); count++) {
      if (count >= MAX_DEPTH) this.fail(`more than ${MAX_DEPTH} conditions follow one another`, line);
      // What stands in a condition's branches is known to exist only once it runs.
      this.certainNames.length = before;
      this.conditions++;
      const condition = this.or();
      const otherwise = this.skip('name', 'else') ? this.expression() : undefined;
      this.conditions--;
      then = { kind: 'choice', condition, then, otherwise };
    }
    return then;
  }

  private or(): Expression {
    return this.leftChain(
      () => this.leftChain(() => this.not(), () => this.skip('name', 'and'), (left, right) => ({ kind: 'logic', operator: 'and', left, right })),
      () => this.skip('name', 'or'),
      (left, right) => ({ kind: 'logic', operator: 'or', left, right }),
    ); // prettier-ignore
  }

  /** Operands of one precedence. A long chain is a deep tree, so its length is bounded like depth. */
  private leftChain<T>(
    operand: () => Expression,
    operator: () => T | false,
    join: (left: Expression, right: Expression, operator: T) => Expression,
  ): Expression {
    let left = operand();
    for (let count = 0; ; count++) {
      const found = operator();
      if (found === false) return left;
      if (count >= 10 * MAX_DEPTH) this.fail(`more than ${10 * MAX_DEPTH} operators follow one another`);
      left = join(left, operand(), found);
    }
  }

  private operatorOf<const T extends string>(known: readonly T[]): T | false {
    const found = this.token.type === 'operator' && known.find(operator => operator === this.token.text);
    if (found !== false && found !== undefined) this.next();
    return found ?? false;
  }

  private not(): Expression {
    if (!this.skip('name', 'not')) return this.comparison();
    return this.nest(() => ({ kind: 'unary', operator: 'not', operand: this.not() }));
  }

  private comparison(): Expression {
    const first = this.sum();
    const rest: [CompareOperator, Expression][] = [];
    for (;;) {
      if (this.token.type === 'operator' && COMPARISONS.has(this.token.text)) {
        rest.push([this.next().text as CompareOperator, this.sum()]);
      } else if (this.skip('name', 'in')) rest.push(['in', this.sum()]);
      else if (this.isToken('name', 'not') && this.isToken('name', 'in', 1)) {
        this.at += 2;
        rest.push(['not in', this.sum()]);
      } else return rest.length === 0 ? first : { kind: 'compare', first, rest };
    }
  }

  private sum(): Expression {
    const binary = (left: Expression, right: Expression, operator: BinaryOperator): Expression => ({
      kind: 'binary',
      operator,
      left,
      right,
    });
    const power = (): Expression =>
      this.leftChain(() => this.unary(true), () => this.operatorOf<BinaryOperator>(['**']), binary); // prettier-ignore
    const product = (): Expression =>
      this.leftChain(power, () => this.operatorOf<BinaryOperator>(['*', '/', '//', '%']), binary); // prettier-ignore
    const concat = (): Expression => {
      const items = [product()];
      while (this.skip('operator', '~')) items.push(product());
      return items.length === 1 ? items[0]! : { kind: 'concat', items };
    };
    return this.leftChain(concat, () => this.operatorOf<BinaryOperator>(['+', '-']), binary);
  }

  private unary(withFilter: boolean): Expression {
    const operator = this.operatorOf(['-', '+']);
    const operand = operator === false ? this.primary() : this.nest(() => this.unary(false));
    const own = this.postfix(operator === false ? operand : { kind: 'unary', operator, operand });
    return withFilter ? this.filters(own) : own;
  }

  protected primary(): Expression {
    const { type, text, line } = this.token;
    if (type === 'name') {
      this.next();
      if (/^[tT]rue$/.test(text)) return { kind: 'constant', value: true };
      if (/^[fF]alse$/.test(text)) return { kind: 'constant', value: false };
      if (/^[nN]one$/.test(text)) return { kind: 'constant', value: null };
      return { kind: 'name', name: text };
    }
    if (type === 'string') {
      let value = '';
      while (this.isToken('string')) value += this.next().text;
      return { kind: 'constant', value };
    }
    if (type === 'number') {
      this.next();
      const isFloat = /^\d/.test(text) && !/^0[box]/i.test(text) && /[.e]/i.test(text);
      return { kind: 'constant', value: isFloat ? Number(text) : BigInt(text) };
    }
    if (this.skip('operator', '(')) {
      const inner = this.nest(() => this.tupleOrExpression({ isInParentheses: true }));
      this.expect('operator', ')');
      return inner;
    }
    if (this.skip('operator', '[')) return { kind: 'list', items: this.until(']', () => this.expression()) };
    if (this.skip('operator', '{')) {
      const entries = this.until('}', (): [Expression, Expression] => {
        const key = this.expression();
        this.expect('operator', ':');
        return [key, this.expression()];
      });
      return { kind: 'dict', entries };
    }
    return this.fail(`${this.shown()} is unexpected`, line);
  }

  /** What commas part, up to a closing bracket; a comma may stand at the end. */
  private until<T>(close: string, part: () => T): T[] {
    const parts: T[] = [];
    while (!this.isToken('operator', close)) {
      if (parts.length > 0) this.expect('operator', ',');
      if (this.isToken('operator', close)) break;
      parts.push(part());
    }
    this.next();
    return parts;
  }

  protected tupleOrExpression(
    options: { isInParentheses?: boolean; withChoice?: boolean; end?: string } = {},
  ): Expression {
    const { isInParentheses = false, withChoice = true, end } = options;
    return this.tuple(() => this.expression(withChoice), isInParentheses, end);
  }

  private tuple(part: () => Expression, isInParentheses: boolean, end: string | undefined): Expression {
    const items: Expression[] = [];
    let isTuple = false;
    for (;;) {
      if (items.length > 0) this.expect('operator', ',');
      const { type, text } = this.token;
      if (type === 'endBlock' || type === 'endVariable' || (type === 'operator' && text === ')')) break;
      if (end !== undefined && this.isToken('name', end)) break;
      items.push(part());
      if (!this.isToken('operator', ',')) break;
      isTuple = true;
    }
    if (!isTuple && items.length > 0) return items[0]!;
    if (!isTuple && !isInParentheses) this.fail(`an expression is expected, not ${this.shown()}`);
    return { kind: 'tuple', items };
  }

  private postfix(operand: Expression): Expression {
    let node = operand;
    for (let count = 0; ; count++) {
      if (count > 10 * MAX_DEPTH) this.fail(`more than ${10 * MAX_DEPTH} members follow one another`);
      if (this.skip('operator', '.')) {
        const { type, text } = this.next();
        if (type === 'name') node = { kind: 'attribute', object: node, name: text };
        else if (type === 'number' && /^\d+$/.test(text)) {
          node = { kind: 'item', object: node, key: { kind: 'constant', value: BigInt(text) } };
        } else this.fail('a name or a number is expected behind the dot');
      } else if (this.skip('operator', '[')) {
        const keys: Expression[] = [];
        while (!this.isToken('operator', ']')) {
          if (keys.length > 0) this.expect('operator', ',');
          keys.push(this.subscript());
        }
        this.next();
        node = { kind: 'item', object: node, key: keys.length === 1 ? keys[0]! : { kind: 'tuple', items: keys } };
      } else if (this.isToken('operator', '(')) node = { kind: 'call', callee: node, args: this.callArguments() };
      else return node;
    }
  }

  private subscript(): Expression {
    const ends = (): boolean => this.isToken('operator', ']') || this.isToken('operator', ',') || this.isToken('operator', ':'); // prettier-ignore
    const part = (): Expression | undefined => (ends() ? undefined : this.expression());
    const first = this.isToken('operator', ':') ? undefined : this.expression();
    if (first !== undefined && !this.isToken('operator', ':')) return first;
    this.next();
    const stop = part();
    const step = this.skip('operator', ':') ? part() : undefined;
    return { kind: 'slice', parts: [first, stop, step] };
  }

  private filters(operand: Expression): Expression {
    let node = operand;
    for (let count = 0; ; count++) {
      if (count > 10 * MAX_DEPTH) this.fail(`more than ${10 * MAX_DEPTH} filters follow one another`);
      if (this.isToken('operator', '|')) node = this.filterChain(node);
      else if (this.skip('name', 'is')) node = this.testOf(node);
      else if (this.isToken('operator', '(')) node = { kind: 'call', callee: node, args: this.callArguments() };
      else return node;
    }
  }

  /** Filters behind an operand, or those of a block; `startsInline`: the first one stands without a bar. */
  protected filterChain<T extends Expression | undefined>(operand: T, startsInline = false): Expression | T {
    let node: Expression | T = operand;
    for (let isFirst = startsInline, count = 0; isFirst || this.skip('operator', '|'); isFirst = false) {
      if (++count > MAX_DEPTH) this.fail(`more than ${MAX_DEPTH} filters follow one another`);
      const name = this.dottedName('filter');
      const args = this.isToken('operator', '(') ? this.callArguments() : { positional: [], named: [] };
      node = { kind: 'filter', operand: node, name, args };
    }
    return node;
  }

  private dottedName(sort: 'filter' | 'test'): string {
    const { line } = this.token;
    let name = this.expect('name').text;
    while (this.skip('operator', '.')) name += `.${this.expect('name').text}`;
    if (this.conditions === 0) this.certainNames.push([sort, name, line]);
    return name;
  }

  private testOf(operand: Expression): Expression {
    const isNegated = this.skip('name', 'not');
    const name = this.dottedName('test');
    let args: Arguments = { positional: [], named: [] };
    const { type, text } = this.token;
    if (this.isToken('operator', '(')) args = this.callArguments();
    else if (
      type === 'string' ||
      type === 'number' ||
      (type === 'operator' && (text === '[' || text === '{')) ||
      (type === 'name' && !['else', 'or', 'and'].includes(text))
    ) {
      if (text === 'is' && type === 'name') this.fail('tests cannot follow one another');
      args = { positional: [this.postfix(this.primary())], named: [] };
    }
    const test: Expression = { kind: 'test', operand, name, args };
    return isNegated ? { kind: 'unary', operator: 'not', operand: test } : test;
  }

  protected callArguments(): Arguments {
    const { line } = this.expect('operator', '(');
    const positional: Expression[] = [];
    const named: [string, Expression][] = [];
    let spread: Expression | undefined;
    let namedSpread: Expression | undefined;
    const check = (isGood: boolean): void => {
      if (!isGood) this.fail('these arguments cannot stand in this order', line);
    };
    this.until(')', () => {
      if (this.skip('operator', '*')) {
        check(spread === undefined && namedSpread === undefined);
        spread = this.expression();
      } else if (this.skip('operator', '**')) {
        check(namedSpread === undefined);
        namedSpread = this.expression();
      } else if (this.isToken('name') && this.isToken('operator', '=', 1)) {
        check(namedSpread === undefined);
        const { text } = this.next();
        this.next();
        check(named.every(([name]) => name !== text));
        named.push([text, this.expression()]);
      } else {
        check(spread === undefined && namedSpread === undefined && named.length === 0);
        positional.push(this.expression());
      }
    });
    return { positional, named, ...(spread && { spread }), ...(namedSpread && { namedSpread }) };
  }

  /** What a value is given to; `end`: the name that stands behind it. */
  protected target(withMembers: boolean, end?: string): Target {
    const { line } = this.token;
    const members = new Map<Expression, Target>();
    const part = (): Expression => {
      if (!withMembers || !this.isToken('name') || !this.isToken('operator', '.', 1)) return this.nest(() => this.primary()); // prettier-ignore
      const name = this.next().text;
      this.next();
      const placeholder: Expression = { kind: 'name', name };
      members.set(placeholder, { kind: 'member', name, attribute: this.expect('name').text });
      return placeholder;
    };
    const asTarget = (node: Expression): Target => {
      const member = members.get(node);
      if (member !== undefined) return member;
      if (node.kind === 'name') return { kind: 'name', name: node.name };
      if (node.kind === 'tuple') return { kind: 'tuple', items: node.items.map(asTarget) };
      return this.fail('a value can only be given to names', line);
    };
    return asTarget(this.tuple(part, false, end));
  }
}
