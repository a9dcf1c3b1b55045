/** Arguments of a call, a filter or a test. */
export interface Arguments {
  readonly positional: readonly Expression[];
  readonly named: readonly (readonly [name: string, value: Expression])[];
  /** What `*` spreads. */
  readonly spread?: Expression;
  /** What `**` spreads. */
  readonly namedSpread?: Expression;
}

/** Operators of two numbers, texts or lists. */
export type BinaryOperator = '+' | '-' | '*' | '/' | '//' | '%' | '**';

/** Operators that compare. */
export type CompareOperator = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'not in';

/** What has a value. */
export type Expression =
  | { readonly kind: 'constant'; readonly value: string | bigint | number | boolean | null }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'list' | 'tuple' | 'concat'; readonly items: readonly Expression[] }
  | { readonly kind: 'dict'; readonly entries: readonly (readonly [key: Expression, value: Expression])[] }
  | { readonly kind: 'attribute'; readonly object: Expression; readonly name: string }
  | { readonly kind: 'item'; readonly object: Expression; readonly key: Expression }
  | { readonly kind: 'slice'; readonly parts: readonly (Expression | undefined)[] }
  | { readonly kind: 'call'; readonly callee: Expression; readonly args: Arguments }
  | FilterExpression
  | { readonly kind: 'test'; readonly operand: Expression; readonly name: string; readonly args: Arguments }
  | { readonly kind: 'unary'; readonly operator: '-' | '+' | 'not'; readonly operand: Expression }
  | {
      readonly kind: 'binary';
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly kind: 'logic'; readonly operator: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | {
      readonly kind: 'compare';
      readonly first: Expression;
      readonly rest: readonly (readonly [operator: CompareOperator, operand: Expression])[];
    }
  | {
      readonly kind: 'choice';
      readonly condition: Expression;
      readonly then: Expression;
      readonly otherwise: Expression | undefined;
    };

/** A filter; without an operand it is applied to a block's text. */
export interface FilterExpression {
  readonly kind: 'filter';
  readonly operand: Expression | undefined;
  readonly name: string;
  readonly args: Arguments;
}

/** What a value is given to. */
export type Target =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'member'; readonly name: string; readonly attribute: string }
  | { readonly kind: 'tuple'; readonly items: readonly Target[] };

/** Parameters of a macro. */
export interface Parameter {
  readonly name: string;
  readonly initial: Expression | undefined;
}

/** What a macro, or the block of a call, runs. */
export interface MacroBody {
  readonly parameters: readonly Parameter[];
  readonly body: Block;
}

/** Statements in a scope of their own. */
export interface Block {
  readonly statements: readonly Statement[];
  /** Names without a value until the block stores one, whatever they mean outside. */
  unset?: ReadonlySet<string>;
}

/** What writes text or changes a name. */
export type Statement =
  | { readonly kind: 'data'; readonly text: string }
  | { readonly kind: 'print'; readonly values: readonly Expression[] }
  | { readonly kind: 'set'; readonly target: Target; readonly value: Expression }
  | {
      readonly kind: 'setBlock';
      readonly target: Target;
      readonly filter: Expression | undefined;
      readonly body: Block;
    }
  | {
      readonly kind: 'for';
      readonly target: Target;
      readonly iterable: Expression;
      readonly condition: Expression | undefined;
      readonly isRecursive: boolean;
      readonly body: Block;
      readonly otherwise: Block | undefined;
    }
  | {
      readonly kind: 'if';
      readonly branches: readonly (readonly [condition: Expression, body: readonly Statement[]])[];
      readonly otherwise: readonly Statement[];
    }
  | {
      readonly kind: 'with';
      readonly values: readonly (readonly [target: Target, value: Expression])[];
      readonly body: Block;
    }
  | { readonly kind: 'macro'; readonly name: string; readonly macro: MacroBody }
  | { readonly kind: 'callBlock'; readonly call: Expression & { kind: 'call' }; readonly macro: MacroBody }
  | { readonly kind: 'filterBlock'; readonly filter: Expression; readonly body: Block }
  | { readonly kind: 'generation'; readonly body: Block }
  | { readonly kind: 'break' | 'continue' }
  | { readonly kind: 'unavailable'; readonly name: string };
