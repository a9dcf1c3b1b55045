import { JinjaError } from '../parse/lexer.ts';
import {
  Callable,
  Dict,
  DictView,
  Generator,
  kindOf,
  Loop,
  Namespace,
  Range,
  Safe,
  Tuple,
  Undefined,
  type Value,
} from './values.ts';

/** A value as `{{ … }}` writes it: Python's `str`. @throws JinjaError for what Python shows by its address */
export function textOf(value: Value): string {
  if (typeof value === 'string') return value;
  if (value instanceof Safe) return value.text;
  return value instanceof Undefined ? '' : reprOf(value);
}

/** A value as it stands in a list: Python's `repr`. @throws JinjaError for what Python shows by its address */
export function reprOf(value: Value): string {
  if (typeof value === 'string') return reprOfText(value);
  if (typeof value === 'bigint') return intText(value);
  if (typeof value === 'number') return floatText(value);
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (value === null) return 'None';
  if (Array.isArray(value)) return `[${(value as readonly Value[]).map(reprOf).join(', ')}]`;
  if (value instanceof Tuple) return tupleText(value);
  if (value instanceof Dict) return dictText(value);
  if (value instanceof DictView) return `dict_${value.sort}([${value.items().map(reprOf).join(', ')}])`;
  if (value instanceof Undefined) return 'Undefined';
  if (value instanceof Range) return `range(${[value.start, value.stop, ...(value.step === 1n ? [] : [value.step])].join(', ')})`; // prettier-ignore
  if (value instanceof Safe) return `Markup(${reprOfText(value.text)})`;
  throw new JinjaError(
    `${writtenByAddress(value as Generator | Namespace | Callable | Loop)} has no text: Python would write where it lies in memory`,
  );
}

function writtenByAddress(value: Generator | Namespace | Callable | Loop): string {
  if (value instanceof Generator) return "a generator (put '| list' behind it)";
  return value instanceof Callable ? `the function ${value.name}` : `a ${kindOf(value)}`;
}

function tupleText({ items }: Tuple): string {
  return items.length === 1 ? `(${reprOf(items[0]!)},)` : `(${items.map(reprOf).join(', ')})`;
}

function dictText(dict: Dict): string {
  return `{${dict.entries().map(([key, value]) => `${reprOf(key)}: ${reprOf(value)}`).join(', ')}}`; // prettier-ignore
}

/** The most digits that Python turns into text. */
const MAX_DIGITS = 4300;

/** An int as Python writes it. @throws JinjaError beyond 4,300 digits, as Python does */
export function intText(value: bigint): string {
  // A digit holds more than three bits, so that a short look is enough before the costly conversion.
  if (value.toString(16).length > MAX_DIGITS) throw new JinjaError('an int of so many digits is not written');
  const text = value.toString();
  if (text.replace('-', '').length > MAX_DIGITS) throw new JinjaError('an int of more than 4300 digits is not written');
  return text;
}

/** A float as Python writes it. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const [mantissa, power] = value.toExponential().split('e') as [string, string];
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 16) return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`; // prettier-ignore
  const sign = mantissa.startsWith('-') ? '-' : '';
  const digits = mantissa.replace(/[-.]/g, '');
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`;
}

/** What Python does not print as it is: all separators but the space, controls, and what is not assigned. */
const HIDDEN = /[\p{C}\p{Z}]/u;
const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' };

function reprOfText(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let written = quote;
  for (const character of text) {
    if (character === quote) written += `\\${quote}`;
    else if (character in NAMED) written += NAMED[character]!;
    else if (character === ' ' || !HIDDEN.test(character)) written += character;
    else {
      const code = character.codePointAt(0)!;
      const [letter, digits] = code < 0x100 ? ['x', 2] : code < 0x10000 ? ['u', 4] : (['U', 8] as const);
      written += `\\${letter}${code.toString(16).padStart(digits, '0')}`;
    }
  }
  return written + quote;
}

/** Options of {@link jsonOf}, as `json.dumps` has them. */
export interface JsonOptions {
  readonly escapesNonAscii: boolean;
  /** What stands before each level; undefined: all in one line. */
  readonly indent: string | undefined;
  readonly separators: readonly [item: string, key: string];
  /** Puts keys in order; undefined: as they are. */
  readonly sort: ((keys: readonly Value[]) => readonly Value[]) | undefined;
}

/** A value as Python's `json.dumps` writes it. @throws JinjaError for what has no JSON */
export function jsonOf(value: Value, options: JsonOptions, level = 0): string {
  if (typeof value === 'string') return jsonText(value, options.escapesNonAscii);
  if (value instanceof Safe) return jsonText(value.text, options.escapesNonAscii);
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'bigint') return intText(value);
  if (typeof value === 'number') return jsonNumber(value);
  const { indent, separators, sort } = options;
  const around = (open: string, parts: readonly string[], close: string): string => {
    if (parts.length === 0) return open + close;
    if (indent === undefined) return open + parts.join(separators[0]) + close;
    const line = `\n${indent.repeat(level)}`;
    return `${open}${line}${indent}${parts.join(`${separators[0]}${line}${indent}`)}${line}${close}`;
  };
  if (Array.isArray(value) || value instanceof Tuple) {
    const items = value instanceof Tuple ? value.items : (value as readonly Value[]);
    return around('[', items.map(item => jsonOf(item, options, level + 1)), ']'); // prettier-ignore
  }
  if (value instanceof Dict) {
    const keys = value.entries().map(([key]) => key);
    const parts = (sort === undefined ? keys : sort(keys)).map(
      key =>
        jsonText(jsonKey(key), options.escapesNonAscii) + separators[1] + jsonOf(value.get(key)!, options, level + 1),
    );
    return around('{', parts, '}');
  }
  throw new JinjaError(`tojson cannot write a value of kind ${kindOf(value)}`);
}

function jsonKey(key: Value): string {
  if (typeof key === 'string') return key;
  if (key instanceof Safe) return key.text;
  if (key === null || typeof key === 'boolean') return String(key);
  if (typeof key === 'bigint') return intText(key);
  if (typeof key === 'number') return jsonNumber(key);
  throw new JinjaError(`tojson cannot write a key of kind ${kindOf(key)}`);
}

function jsonNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  return Number.isFinite(value) ? floatText(value) : value > 0 ? 'Infinity' : '-Infinity';
}

const JSON_NAMED: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '"': '\\"',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

function jsonText(text: string, escapesNonAscii: boolean): string {
  const escaped = escapesNonAscii ? /[\\"]|[^ -~]/g : /[\x00-\x1f\\"]/g;
  return `"${text.replace(escaped, unit => JSON_NAMED[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)}"`; // prettier-ignore
}
