import { JinjaError } from '../parse/lexer.ts';

/**
 * A value as a template sees it. Python's `int` is a bigint and its `float` a number, so that the two never mix; `str`, `bool` and
 * `None` are what they are in JavaScript, a list is an array, and classes stand for all else.
 */
export type Value =
  | string
  | bigint
  | number
  | boolean
  | null
  | readonly Value[]
  | Tuple
  | Dict
  | DictView
  | Range
  | Generator
  | Undefined
  | Namespace
  | Callable
  | Loop
  | Safe;

/** Python's tuple. */
export class Tuple {
  readonly items: readonly Value[];

  constructor(items: readonly Value[]) {
    this.items = items;
  }
}

/** What a name or member is that does not exist. */
export class Undefined {
  readonly hint: string;

  /** @param hint - what an error says */
  constructor(hint: string) {
    this.hint = hint;
  }
}

/** Text that `safe` marked. */
export class Safe {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What `map` and its kin give: values that are there once. */
export class Generator {
  readonly values: Iterator<Value>;

  constructor(values: Iterator<Value>) {
    this.values = values;
  }
}

/** `namespace(…)`, the one object that a template can change. */
export class Namespace {
  readonly members: Map<string, Value> = new Map<string, Value>();
}

/** Arguments by name. */
export type Named = ReadonlyMap<string, Value>;

/** A function, a method or a macro. */
export class Callable {
  readonly name: string;
  readonly call: (positional: readonly Value[], named: Named) => Value;

  constructor(name: string, call: (positional: readonly Value[], named: Named) => Value) {
    this.name = name;
    this.call = call;
  }
}

/** `loop` in the body of a loop. */
export class Loop {
  index = -1;
  lastChanged: readonly Value[] | undefined;
  readonly items: readonly Value[];
  readonly depth: number;
  /** Runs the loop over other values. */
  readonly recurse: ((items: Value) => string) | undefined;

  constructor(items: readonly Value[], depth: number, recurse: Loop['recurse']) {
    this.items = items;
    this.depth = depth;
    this.recurse = recurse;
  }
}

/** Python's range. */
export class Range {
  readonly length: number;
  readonly start: bigint;
  readonly stop: bigint;
  readonly step: bigint;

  constructor(start: bigint, stop: bigint, step: bigint) {
    this.start = start;
    this.stop = stop;
    this.step = step;
    const distance = step > 0n ? stop - start : start - stop;
    const size = step > 0n ? step : -step;
    this.length = distance <= 0n ? 0 : Number((distance + size - 1n) / size);
  }

  /** The number at a place, which must be there. */
  at(index: number): bigint {
    return this.start + BigInt(index) * this.step;
  }
}

/** Python's dict: keys of any kind that has a hash, in the order in which they came. */
export class Dict {
  private readonly entryByHash = new Map<string, readonly [key: Value, value: Value]>();

  constructor(entries: Iterable<readonly [Value, Value]> = []) {
    for (const [key, value] of entries) this.set(key, value);
  }

  get size(): number {
    return this.entryByHash.size;
  }

  get(key: Value): Value | undefined {
    return this.entryByHash.get(hashOf(key))?.[1];
  }

  set(key: Value, value: Value): void {
    const hash = hashOf(key);
    // Python keeps the first of two equal keys: {1: …} stays so when it is set by True.
    this.entryByHash.set(hash, [this.entryByHash.get(hash)?.[0] ?? key, value]);
  }

  entries(): (readonly [key: Value, value: Value])[] {
    return [...this.entryByHash.values()];
  }
}

/** What `keys()`, `values()` and `items()` give. */
export class DictView {
  readonly dict: Dict;
  readonly sort: 'keys' | 'values' | 'items';

  constructor(dict: Dict, sort: 'keys' | 'values' | 'items') {
    this.dict = dict;
    this.sort = sort;
  }

  items(): Value[] {
    const entries = this.dict.entries();
    if (this.sort === 'items') return entries.map(entry => new Tuple(entry));
    return entries.map(([key, value]) => (this.sort === 'keys' ? key : value));
  }
}

/** Equal for values that Python takes for one key: 1, 1.0 and True. @throws JinjaError for what has no hash */
export function hashOf(value: Value): string {
  if (typeof value === 'string') return `s${value}`;
  if (value instanceof Safe) return `s${value.text}`;
  if (typeof value === 'boolean') return value ? 'n1' : 'n0';
  if (typeof value === 'bigint') return `n${value}`;
  if (typeof value === 'number') return Number.isInteger(value) ? `n${BigInt(value)}` : `f${value}`;
  if (value === null) return 'N';
  if (value instanceof Undefined) return 'U';
  if (value instanceof Tuple) return `t${value.items.map(hashOf).map(hash => `${hash.length}:${hash}`).join('')}`; // prettier-ignore
  throw new JinjaError(`${kindOf(value)} cannot be the key of a dict`);
}

/** The name of a value's kind, as Python has it. */
export function kindOf(value: Value): string {
  if (value === null) return 'None';
  if (typeof value === 'string' || value instanceof Safe) return 'str';
  if (typeof value === 'bigint') return 'int';
  if (typeof value === 'number') return 'float';
  if (typeof value === 'boolean') return 'bool';
  if (Array.isArray(value)) return 'list';
  if (value instanceof DictView) return `dict_${value.sort}`;
  if (value instanceof Tuple) return 'tuple';
  if (value instanceof Dict) return 'dict';
  if (value instanceof Range) return 'range';
  if (value instanceof Undefined) return 'an undefined value';
  if (value instanceof Namespace) return 'namespace';
  if (value instanceof Generator) return 'generator';
  return value instanceof Loop ? 'loop' : 'function';
}

/** Whether a value counts as true. */
export function isTrue(value: Value): boolean {
  if (typeof value === 'string' || Array.isArray(value)) return value.length > 0;
  if (typeof value === 'bigint') return value !== 0n;
  if (typeof value === 'number') return value !== 0;
  if (typeof value === 'boolean') return value;
  if (value === null || value instanceof Undefined) return false;
  if (value instanceof Tuple) return value.items.length > 0;
  if (value instanceof Dict) return value.size > 0;
  if (value instanceof DictView) return value.dict.size > 0;
  if (value instanceof Range) return value.length > 0;
  if (value instanceof Safe) return value.text.length > 0;
  if (value instanceof Loop) return value.items.length > 0;
  return true;
}

/** The characters of a text, as Python counts them. */
export function charactersOf(text: string): readonly string[] {
  return Array.from(text);
}

/** Python's `len`; undefined where a value has no length. */
export function lengthOf(value: Value): number | undefined {
  if (typeof value === 'string') return /[\ud800-\udfff]/.test(value) ? charactersOf(value).length : value.length;
  if (value instanceof Safe) return lengthOf(value.text);
  if (Array.isArray(value)) return value.length;
  if (value instanceof Tuple) return value.items.length;
  if (value instanceof Dict) return value.size;
  if (value instanceof DictView) return value.dict.size;
  if (value instanceof Range) return value.length;
  if (value instanceof Loop) return value.items.length;
  return value instanceof Undefined ? 0 : undefined;
}

/** What a loop over a value sees; undefined where there can be none. */
export function iterate(value: Value): Iterable<Value> | undefined {
  if (typeof value === 'string') return value;
  if (value instanceof Safe) return value.text;
  if (Array.isArray(value)) return value as readonly Value[];
  if (value instanceof Tuple) return value.items;
  if (value instanceof Dict) return value.entries().map(([key]) => key);
  if (value instanceof DictView) return value.items();
  if (value instanceof Generator) return { [Symbol.iterator]: () => value.values };
  if (value instanceof Range) return Array.from({ length: value.length }, (_, i) => value.at(i));
  return value instanceof Undefined ? [] : undefined;
}

/** The values of a loop as a list. @throws JinjaError where a value cannot be looped over */
export function listOf(value: Value): Value[] {
  const items = iterate(value);
  if (items === undefined) throw new JinjaError(`${kindOf(value)} is not a list or the like`);
  return Array.from(items);
}

/** The number of an int or bool; undefined for all else. */
export function intOf(value: Value): bigint | undefined {
  if (typeof value === 'bigint') return value;
  return typeof value === 'boolean' ? BigInt(value) : undefined;
}

/** Whether a value is of Python's number types. */
export function isNumber(value: Value): value is bigint | number | boolean {
  return typeof value === 'bigint' || typeof value === 'number' || typeof value === 'boolean';
}

/** The error of what uses an undefined value. */
export function undefinedError({ hint }: Undefined): JinjaError {
  return new JinjaError(hint);
}
