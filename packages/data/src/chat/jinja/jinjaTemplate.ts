import { isFilter } from './filters/applyFilter.ts';
import { JinjaError } from './parse/lexer.ts';
import { parseTemplate } from './parse/parseTemplate.ts';
import { textOf } from './values/pythonText.ts';
import { Renderer, setMember } from './render.ts';
import { findUnsetNames } from './scopes.ts';
import { isTest } from './tests.ts';
import {
  Callable,
  Dict,
  intOf,
  listOf,
  Namespace,
  Range,
  Undefined,
  undefinedError,
  type Named,
  type Value,
} from './values/values.ts';

export { JinjaError } from './parse/lexer.ts';

/** The longest template: those of models are below 100 kB. */
const MAX_SOURCE = 2 ** 20;

/** The longest list that `range()` makes. Source: Jinja2 3.1, sandbox.py. */
const MAX_RANGE = 100_000;

/** A template that was read. */
export interface JinjaTemplate {
  /** Whether it holds `{% generation %}`. */
  readonly marksAnswers: boolean;
  /**
   * What it writes for these values: text, numbers, booleans, null, arrays, and objects or Maps of such.
   *
   * @param marks - what stands around the text of `{% generation %}`; without them nothing does
   * @throws JinjaError where the template cannot go on, or takes more work than any template should
   */
  render(variables: Readonly<Record<string, unknown>>, marks?: readonly [start: string, end: string]): string;
}

/**
 * Reads a Jinja template. It writes what Jinja2 3.1 writes as transformers sets it up (a sandbox, `trim_blocks`, `lstrip_blocks`,
 * loop controls, transformers' own `tojson`), or fails: values look as in Python.
 *
 * @param functions - what the template can call, by name: each takes one text
 * @throws JinjaError where the text is not a template, or uses what is not supported
 */
export function jinjaTemplate(
  source: string,
  functions: Readonly<Record<string, (text: string) => string>>,
): JinjaTemplate {
  if (source.length > MAX_SOURCE) throw new JinjaError(`the template is longer than ${MAX_SOURCE} characters`);
  const { body, marksAnswers, certainNames } = withoutOverflow(() => parseTemplate(source));
  for (const [sort, name, line] of certainNames) {
    if (sort === 'filter' ? !isFilter(name) : !isTest(name)) throw new JinjaError(`line ${line}: there is no ${sort} ${name}`); // prettier-ignore
  }
  findUnsetNames(body);
  const globals = new Map<string, Value>([
    ['range', new Callable('range', makeRange)],
    ['dict', new Callable('dict', (positional, named) => makeDict('dict', positional, named))],
    ['namespace', new Callable('namespace', makeNamespace)],
    ...Object.entries(functions).map(([name, run]): [string, Value] => [
      name,
      new Callable(name, (positional, named) => {
        const [argument] = [...positional, ...named.values()];
        if (argument === undefined || positional.length + named.size > 1)
          throw new JinjaError(`${name}() takes one text`);
        return run(textOf(argument));
      }),
    ]),
  ]);
  return {
    marksAnswers,
    render: (variables, marks) =>
      withoutOverflow(() => {
        const context = new Map(globals);
        for (const [name, value] of Object.entries(variables)) context.set(name, valueOf(value, name));
        return new Renderer(context, marks).render(body);
      }),
  };
}

/** Values that nest too deeply exhaust the stack, which is an error like any other. */
function withoutOverflow<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof RangeError) throw new JinjaError('the template or its values are nested too deeply');
    throw error;
  }
}

/** A value of JavaScript as Python has it: numbers without a fraction are ints. */
function valueOf(value: unknown, path: string): Value {
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || typeof value === 'bigint')
    return value;
  if (typeof value === 'number') {
    if (!Number.isInteger(value) || Object.is(value, -0)) return value;
    if (Number.isSafeInteger(value)) return BigInt(value);
    throw new JinjaError(
      `${path} holds ${value}, which JavaScript does not hold exactly: pass it as a bigint or a text`,
    );
  }
  if (Array.isArray(value)) return value.map((item: unknown, i) => valueOf(item, `${path}[${i}]`));
  const entries = value instanceof Map ? [...(value as Map<unknown, unknown>)] : isPlain(value) ? Object.entries(value) : undefined; // prettier-ignore
  if (entries === undefined)
    throw new JinjaError(`${path} is not text, a number, a boolean, null, a list or an object`);
  const given = entries.filter(([, own]) => own !== undefined);
  return new Dict(given.map(([key, own]) => [valueOf(key, path), valueOf(own, `${path}.${String(key)}`)])); // prettier-ignore
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
}

function makeRange(positional: readonly Value[], named: Named): Value {
  const bounds = positional.map(intOf);
  if (named.size > 0 || bounds.length < 1 || bounds.length > 3 || bounds.includes(undefined)) {
    throw new JinjaError('range() takes one to three ints');
  }
  const [first, second, step = 1n] = bounds as bigint[];
  if (step === 0n) throw new JinjaError('the step of range() cannot be 0');
  const range = second === undefined ? new Range(0n, first!, step) : new Range(first!, second, step);
  if (range.length > MAX_RANGE) throw new JinjaError(`range() of ${range.length} numbers: ${MAX_RANGE} is the most`);
  return range;
}

function makeDict(name: string, positional: readonly Value[], named: Named): Dict {
  if (positional.length > 1) throw new JinjaError(`${name}() takes one dict, and values by name`);
  const [source = []] = positional;
  if (source instanceof Undefined) throw undefinedError(source);
  const entries =
    source instanceof Dict
      ? source.entries()
      : listOf(source).map((entry): [Value, Value] => {
          const pair = listOf(entry);
          if (pair.length !== 2) throw new JinjaError(`${name}() needs pairs of a key and a value`);
          return pair as [Value, Value];
        });
  return new Dict([...entries, ...named]);
}

function makeNamespace(positional: readonly Value[], named: Named): Value {
  const namespace = new Namespace();
  for (const [key, value] of makeDict('namespace', positional, named).entries()) {
    if (typeof key !== 'string') throw new JinjaError('the members of a namespace have names');
    setMember(namespace, key, value);
  }
  return namespace;
}
