import type { Block, Expression, Arguments, MacroBody, Statement, Target } from './parse/syntax.ts';

/** How a name is found where a block begins: given to it, outside of it, among the conversation's values, or nowhere. */
type Origin = 'parameter' | 'outer' | 'context' | 'unset';

/** The names of one scope while it is read. */
class Names {
  readonly origins = new Map<string, Origin>();
  readonly stored = new Set<string>();

  readonly parent: Names | undefined;

  constructor(parent: Names | undefined) {
    this.parent = parent;
  }

  isKnown(name: string): boolean {
    return this.origins.has(name) || (this.parent?.isKnown(name) ?? false);
  }

  load(name: string): void {
    if (!this.isKnown(name)) this.origins.set(name, 'context');
  }

  store(name: string): void {
    this.stored.add(name);
    if (!this.origins.has(name)) this.origins.set(name, this.parent?.isKnown(name) === true ? 'outer' : 'unset');
  }

  declare(name: string): void {
    this.stored.add(name);
    this.origins.set(name, 'parameter');
  }

  copy(): Names {
    const copy = new Names(this.parent);
    for (const [name, origin] of this.origins) copy.origins.set(name, origin);
    for (const name of this.stored) copy.stored.add(name);
    return copy;
  }

  /** Takes over what the branches of a condition store. */
  join(branches: readonly Names[]): void {
    const before = new Set(this.stored);
    const counts = new Map<string, number>();
    for (const { stored } of branches) {
      for (const name of stored) if (!before.has(name)) counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    for (const { origins, stored } of branches) {
      for (const [name, origin] of origins) this.origins.set(name, origin);
      for (const name of stored) this.stored.add(name);
    }
    // Not stored by all of them: the name keeps its meaning from outside where a branch left it.
    for (const [name, count] of counts) {
      if (count < branches.length) this.origins.set(name, this.parent?.isKnown(name) === true ? 'outer' : 'context');
    }
  }
}

/**
 * Marks in each block the names that have no value until the block stores one. Jinja2 decides so before anything runs: a
 * name that a scope only sets later does not come from the conversation. Source: Jinja2 3.1, idtracking.py.
 */
export function findUnsetNames(body: Block): void {
  visitBlock(body, [], undefined);
}

function visitBlock(
  block: Block,
  parameters: readonly string[],
  parent: Names | undefined,
  first?: (names: Names) => void,
): void {
  const names = new Names(parent);
  for (const name of parameters) names.declare(name);
  first?.(names);
  const inner: ((names: Names) => void)[] = [];
  for (const statement of block.statements) visitStatement(statement, names, inner);
  block.unset = new Set([...names.origins].flatMap(([name, origin]) => (origin === 'unset' ? [name] : [])));
  for (const visit of inner) visit(names);
}

function visitMacro({ parameters, body }: MacroBody, names: Names): void {
  const special = specialNames(body);
  visitBlock(body, [...parameters.map(({ name }) => name), ...special], names, own => {
    for (const { initial } of parameters) if (initial) loadNames(initial, own);
  });
}

function visitStatement(statement: Statement, names: Names, inner: ((names: Names) => void)[]): void {
  switch (statement.kind) {
    case 'print':
      for (const value of statement.values) loadNames(value, names);
      break;
    case 'set':
      loadNames(statement.value, names);
      storeTarget(statement.target, names);
      break;
    case 'setBlock':
      storeTarget(statement.target, names);
      inner.push(outer => visitBlock(statement.body, [], outer));
      break;
    case 'for': {
      loadNames(statement.iterable, names);
      const targets = namesOf(statement.target);
      inner.push(outer => visitBlock(statement.body, [...targets, 'loop'], outer));
      const { otherwise } = statement;
      if (otherwise) inner.push(outer => visitBlock(otherwise, [], outer));
      break;
    }
    case 'if': {
      visitBranches(statement.branches, 0, statement.otherwise, names, inner);
      break;
    }
    case 'with':
      for (const [, value] of statement.values) loadNames(value, names);
      inner.push(outer => visitBlock(statement.body, statement.values.flatMap(([target]) => namesOf(target)), outer)); // prettier-ignore
      break;
    case 'macro':
      names.store(statement.name);
      inner.push(outer => visitMacro(statement.macro, outer));
      break;
    case 'callBlock':
      loadNames(statement.call, names);
      inner.push(outer => visitMacro(statement.macro, outer));
      break;
    case 'filterBlock':
      loadNames(statement.filter, names);
      inner.push(outer => visitBlock(statement.body, [], outer));
      break;
    case 'generation':
      inner.push(outer => visitBlock(statement.body, [], outer));
      break;
    case 'data':
    case 'break':
    case 'continue':
    case 'unavailable':
  }
}

function visitBranches(
  branches: (Statement & { kind: 'if' })['branches'],
  from: number,
  otherwise: readonly Statement[],
  names: Names,
  inner: ((names: Names) => void)[],
): void {
  const [[condition, body], ...rest] = branches.slice(from) as unknown as [
    (typeof branches)[number],
    ...typeof branches,
  ];
  loadNames(condition, names);
  const visit = (statements: readonly Statement[]): Names => {
    const own = names.copy();
    for (const statement of statements) visitStatement(statement, own, inner);
    return own;
  };
  const then = visit(body);
  // Each `elif` counts as a condition of its own within one branch of the first.
  const others = names.copy();
  for (const [next, statements] of rest) {
    loadNames(next, others);
    const own = others.copy();
    for (const statement of statements) visitStatement(statement, own, inner);
    others.join([own, others.copy(), others.copy()]);
  }
  names.join([then, others, visit(otherwise)]);
}

function storeTarget(target: Target, names: Names): void {
  if (target.kind === 'tuple') for (const item of target.items) storeTarget(item, names);
  else if (target.kind === 'member') names.load(target.name);
  else names.store(target.name);
}

function namesOf(target: Target): string[] {
  if (target.kind === 'tuple') return target.items.flatMap(namesOf);
  return target.kind === 'name' ? [target.name] : [];
}

function loadNames(expression: Expression, names: { load(name: string): void }): void {
  const visit = (part: Expression): void => loadNames(part, names);
  const visitArguments = ({ positional, named, spread, namedSpread }: Arguments): void => {
    positional.forEach(visit);
    for (const [, value] of named) visit(value);
    if (spread) visit(spread);
    if (namedSpread) visit(namedSpread);
  };
  switch (expression.kind) {
    case 'name':
      names.load(expression.name);
      break;
    case 'list':
    case 'tuple':
    case 'concat':
      expression.items.forEach(visit);
      break;
    case 'dict':
      for (const entry of expression.entries) entry.forEach(visit);
      break;
    case 'attribute':
      visit(expression.object);
      break;
    case 'item':
      visit(expression.object);
      visit(expression.key);
      break;
    case 'slice':
      for (const part of expression.parts) if (part) visit(part);
      break;
    case 'call':
      visit(expression.callee);
      visitArguments(expression.args);
      break;
    case 'filter':
    case 'test':
      if (expression.operand) visit(expression.operand);
      visitArguments(expression.args);
      break;
    case 'unary':
      visit(expression.operand);
      break;
    case 'binary':
    case 'logic':
      visit(expression.left);
      visit(expression.right);
      break;
    case 'compare':
      visit(expression.first);
      for (const [, operand] of expression.rest) visit(operand);
      break;
    case 'choice':
      visit(expression.condition);
      visit(expression.then);
      if (expression.otherwise) visit(expression.otherwise);
      break;
    case 'constant':
  }
}

const SPECIAL = ['caller', 'kwargs', 'varargs'] as const;

/** Which names a macro reads that stand for what it was called with beyond its parameters. */
export function specialNames(body: Block): readonly (typeof SPECIAL)[number][] {
  const found = new Set<string>();
  const reader = { load: (name: string) => void found.add(name) };
  const visitAll = (statements: readonly Statement[]): void => {
    for (const statement of statements) {
      const { kind } = statement;
      if (kind === 'print') statement.values.forEach(value => loadNames(value, reader));
      else if (kind === 'set') loadNames(statement.value, reader);
      else if (kind === 'for') {
        loadNames(statement.iterable, reader);
        if (statement.condition) loadNames(statement.condition, reader);
        visitAll(statement.otherwise?.statements ?? []);
      } else if (kind === 'if') {
        for (const [condition, statements] of statement.branches) {
          loadNames(condition, reader);
          visitAll(statements);
        }
        visitAll(statement.otherwise);
      } else if (kind === 'with') for (const [, value] of statement.values) loadNames(value, reader);
      else if (kind === 'callBlock') loadNames(statement.call, reader);
      if ('macro' in statement) visitAll(statement.macro.body.statements);
      else if ('body' in statement) visitAll(statement.body.statements);
      if ('filter' in statement && statement.filter) loadNames(statement.filter, reader);
    }
  };
  visitAll(body.statements);
  return SPECIAL.filter(name => found.has(name));
}
