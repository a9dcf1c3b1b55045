import { JinjaError, readTokens } from './lexer.ts';
import { ExpressionParser } from './parseExpression.ts';
import type { Block, Expression, MacroBody, Parameter, Statement, Target } from './syntax.ts';

/** A template that was read. */
export interface ParsedTemplate {
  readonly body: Block;
  /** Whether it holds `{% generation %}`. */
  readonly marksAnswers: boolean;
  /** Filters and tests that run, or at least would be refused, whatever the values are: kind, name and line. */
  readonly certainNames: ExpressionParser['certainNames'];
}

/** @throws JinjaError with the line, where the text is not a template */
export function parseTemplate(source: string): ParsedTemplate {
  return new TemplateParser(readTokens(source)).parse();
}

class TemplateParser extends ExpressionParser {
  private marksAnswers = false;
  private loops = 0;

  parse(): ParsedTemplate {
    const statements = this.statements([]);
    if (!this.isToken('end')) this.fail(`${this.shown()} is unexpected`);
    return { body: { statements }, marksAnswers: this.marksAnswers, certainNames: this.certainNames };
  }

  /** Statements up to a tag of one of these names, at which it stops; without names up to the end. */
  private statements(ends: readonly string[]): Statement[] {
    const { line } = this.token;
    const found: Statement[] = [];
    for (;;) {
      if (this.isToken('end')) {
        if (ends.length === 0) return found;
        this.fail(`the template ends before {% ${ends.at(-1)!} %}`, line);
      }
      const { type, text } = this.next();
      if (type === 'data') found.push({ kind: 'data', text });
      else if (type === 'variable') {
        found.push({ kind: 'print', values: [this.tupleOrExpression()] });
        this.expect('endVariable');
      } else {
        if (this.token.type === 'name' && ends.includes(this.token.text)) return found;
        found.push(this.nest(() => this.statement()));
        this.expect('endBlock');
      }
    }
  }

  /** The body of a tag up to one of these, which it takes and names. */
  private body(...ends: string[]): [statements: Statement[], end: string] {
    this.skip('operator', ':');
    this.expect('endBlock');
    const statements = this.statements(ends);
    return [statements, this.next().text];
  }

  /** A body in a scope of its own. */
  private scoped(...ends: string[]): [block: Block, end: string] {
    const { conditions } = this;
    this.conditions = 0;
    const [statements, end] = this.body(...ends);
    this.conditions = conditions;
    return [{ statements }, end];
  }

  private block(end: string): Block {
    return this.scoped(end)[0];
  }

  private statement(): Statement {
    const { text, line } = this.expect('name');
    switch (text) {
      case 'set':
        return this.set();
      case 'for':
        return this.for();
      case 'if':
        return this.if();
      case 'with':
        return this.with();
      case 'macro': {
        const { text: name } = this.expect('name');
        return { kind: 'macro', name, macro: this.withoutLoop(() => this.macroBody(this.parameters(), 'endmacro')) };
      }
      case 'call': {
        const parameters = this.isToken('operator', '(') ? this.parameters() : [];
        const call = this.expression();
        if (call.kind !== 'call') this.fail('a call is expected', line);
        return { kind: 'callBlock', call, macro: this.withoutLoop(() => this.macroBody(parameters, 'endcall')) };
      }
      case 'filter': {
        const filter = this.filterChain(undefined, true)!;
        return { kind: 'filterBlock', filter, body: this.withoutLoop(() => this.block('endfilter')) };
      }
      case 'generation':
        this.marksAnswers = true;
        return { kind: 'generation', body: this.withoutLoop(() => this.block('endgeneration')) };
      case 'print': {
        const values: Expression[] = [];
        while (!this.isToken('endBlock')) {
          if (values.length > 0) this.expect('operator', ',');
          values.push(this.expression());
        }
        return { kind: 'print', values };
      }
      case 'break':
      case 'continue':
        if (this.loops === 0) this.fail(`{% ${text} %} stands outside of a loop`, line);
        return { kind: text };
      case 'include':
      case 'import':
      case 'extends':
      case 'from':
        while (!this.isToken('endBlock') && !this.isToken('end')) this.next();
        return { kind: 'unavailable', name: text };
      case 'block':
      case 'autoescape':
        return this.fail(`{% ${text} %} is not supported`, line);
      default:
        return this.fail(`the tag {% ${text} %} is not known here`, line);
    }
  }

  /** Reads a body that runs in a function of its own, from which no loop can be left. */
  private withoutLoop<T>(parse: () => T): T {
    const { loops } = this;
    this.loops = 0;
    const result = parse();
    this.loops = loops;
    return result;
  }

  private set(): Statement {
    const target = this.target(true);
    if (this.skip('operator', '=')) return { kind: 'set', target, value: this.tupleOrExpression() };
    const filter = this.filterChain(undefined);
    return { kind: 'setBlock', target, filter, body: this.withoutLoop(() => this.block('endset')) };
  }

  private for(): Statement {
    const target = this.target(false, 'in');
    this.expect('name', 'in');
    const iterable = this.tupleOrExpression({ withChoice: false, end: 'recursive' });
    const condition = this.skip('name', 'if') ? this.expression() : undefined;
    const isRecursive = this.skip('name', 'recursive');
    this.loops++;
    const [body, end] = this.scoped('endfor', 'else');
    this.loops--;
    const otherwise = end === 'else' ? this.block('endfor') : undefined;
    return { kind: 'for', target, iterable, condition, isRecursive, body, otherwise };
  }

  private if(): Statement {
    const branches: [Expression, Statement[]][] = [];
    let otherwise: Statement[] = [];
    this.conditions++;
    for (;;) {
      const condition = this.tupleOrExpression({ withChoice: false });
      const [statements, end] = this.body('elif', 'else', 'endif');
      branches.push([condition, statements]);
      if (end === 'elif') continue;
      if (end === 'else') [otherwise] = this.body('endif');
      break;
    }
    this.conditions--;
    return { kind: 'if', branches, otherwise };
  }

  private with(): Statement {
    const values: [Target, Expression][] = [];
    while (!this.isToken('endBlock')) {
      if (values.length > 0) this.expect('operator', ',');
      const target = this.target(false);
      this.expect('operator', '=');
      values.push([target, this.expression()]);
    }
    return { kind: 'with', values, body: this.block('endwith') };
  }

  private parameters(): Parameter[] {
    this.expect('operator', '(');
    const found: Parameter[] = [];
    while (!this.isToken('operator', ')')) {
      if (found.length > 0) this.expect('operator', ',');
      const { text: name } = this.expect('name');
      const initial = this.skip('operator', '=') ? this.expression() : undefined;
      if (initial === undefined && found.at(-1)?.initial !== undefined) {
        this.fail(`the parameter ${name} stands behind one with a default`);
      }
      if (found.some(other => other.name === name)) throw new JinjaError(`two parameters are called ${name}`);
      found.push({ name, initial });
    }
    this.next();
    return found;
  }

  private macroBody(parameters: readonly Parameter[], end: string): MacroBody {
    return { parameters, body: this.block(end) };
  }
}
