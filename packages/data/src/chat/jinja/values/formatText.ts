import type { Budget } from '../budget.ts';
import { JinjaError } from '../parse/lexer.ts';
import { floatText, intText, reprOf, textOf } from './pythonText.ts';
import {
  Dict,
  intOf,
  isNumber,
  lengthOf,
  Range,
  Tuple,
  Undefined,
  undefinedError,
  type Named,
  type Value,
} from './values.ts';

const PERCENT = /%(?:\(([^)]*)\))?([-+ 0#]*)(\d+|\*)?(?:\.(\d+|\*)?)?([^])?/gu;
const WIDEST = 10_000;

/** Python's `text % values`. @throws JinjaError for a directive that is not supported, and for values that do not fit */
export function formatPercent(text: string, values: Value, budget: Budget): string {
  const list = values instanceof Tuple ? values.items : [values];
  let used = 0;
  const usesNames = /%\([^)]*\)/.test(text);
  budget.spend(text.length);
  const written = text.replace(PERCENT, (whole, name: string | undefined, flags: string, width: string | undefined, precision: string | undefined, type: string | undefined) => {
    if (whole === '%%') return '%';
    if (type === undefined || !'srdifF'.includes(type) || flags.includes('#') || width === '*' || /\.(\*|$|\D)/.test(whole.replace(/^%\([^)]*\)/, ''))) {
      throw new JinjaError(`the format ${whole} is not supported`);
    }
    let value: Value | undefined;
    if (name === undefined) value = list[used++];
    else value = values instanceof Dict ? values.get(name) : undefined;
    if (value === undefined) throw new JinjaError(`the format ${whole} has no value`);
    return padNumber(directive(type, value, precision === undefined ? undefined : Number(precision), flags), type, flags, Number(width ?? 0)); // prettier-ignore
  }); // prettier-ignore
  // Python takes everything with entries but tuples and texts for a dict, of which some may be left.
  const mayBeLeft = usesNames || [Dict, Range, Undefined].some(sort => values instanceof sort) || Array.isArray(values);
  if (used < list.length && !mayBeLeft) throw new JinjaError('not all values were used in formatting');
  return budget.made(written);
}

function directive(type: string, value: Value, precision: number | undefined, flags: string): string {
  if (type === 's' || type === 'r') {
    const text = type === 's' ? textOf(value) : reprOf(value);
    return precision === undefined ? text : Array.from(text).slice(0, precision).join('');
  }
  if (value instanceof Undefined) throw undefinedError(value);
  if (!isNumber(value)) throw new JinjaError(`the format %${type} needs a number`);
  const isFloat = type === 'f' || type === 'F';
  if (!isFloat && precision !== undefined) throw new JinjaError(`a precision of %${type} is not supported`);
  const int = intOf(value) ?? (isFloat ? undefined : wholePart(value as number));
  const number = isFloat ? Number(int ?? value) : NaN;
  if (isFloat && int !== undefined && BigInt(number) !== int) throw new JinjaError(`${int} has no exact float`);
  const text = isFloat ? fixed(number, precision ?? 6) : intText(int!);
  const sign = flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
  return text.startsWith('-') ? text : sign + text;
}

function padNumber(text: string, type: string, flags: string, width: number): string {
  if (width > WIDEST) throw new JinjaError(`a width of more than ${WIDEST} is not supported`);
  const missing = width - lengthOf(text)!;
  if (missing <= 0) return text;
  if (flags.includes('-')) return text + ' '.repeat(missing);
  if (!flags.includes('0') || type === 's' || type === 'r') return ' '.repeat(missing) + text;
  const sign = /^[-+ ]/.test(text) ? text[0]! : '';
  return sign + '0'.repeat(missing) + text.slice(sign.length);
}

/** A float without what stands behind its point. @throws JinjaError for what is not finite */
export function wholePart(value: number): bigint {
  if (!Number.isFinite(value)) throw new JinjaError(`${floatText(value)} is not an int`);
  return BigInt(Math.trunc(value));
}

/** A float with so many decimals, halves to the even one as in Python. */
export function fixed(value: number, decimals: number): string {
  if (!Number.isFinite(value)) return floatText(value);
  if (decimals > 60) throw new JinjaError('more than 60 decimals are not supported');
  if (Math.abs(value) >= 1e21) return BigInt(value).toString() + (decimals > 0 ? `.${'0'.repeat(decimals)}` : '');
  const text = value.toFixed(decimals);
  // JavaScript rounds a half away from zero. Its digits are exact, so a half shows as one.
  const rest = value.toFixed(decimals + 40).slice(-40);
  if (!/^50*$/.test(rest)) return signOf(value, text);
  const down = value
    .toFixed(decimals + 40)
    .slice(0, -40)
    .replace(/\.$/, '');
  return signOf(value, /[02468]$/.test(down) ? down : text);
}

function signOf(value: number, text: string): string {
  return Object.is(value, -0) || (value < 0 && !text.startsWith('-')) ? `-${text.replace('-', '')}` : text;
}

const FIELD = /\{\{|\}\}|\{([^{}]*)\}|[{}]/g;

/** Python's `text.format(…)`, without members and format specifications. @throws JinjaError for those */
export function formatBraces(text: string, positional: readonly Value[], named: Named, budget: Budget): string {
  let next = 0;
  let isNumbered = false;
  budget.spend(text.length);
  return budget.made(
    text.replace(FIELD, (whole, field: string | undefined) => {
      if (whole === '{{' || whole === '}}') return whole[0]!;
      const match = field === undefined ? null : /^(\d*|[A-Za-z_]\w*)(?:!([rs]))?:?$/.exec(field);
      if (match === null) throw new JinjaError(`the field ${whole} of format() is not supported`);
      const [, name, conversion] = match as unknown as [string, string, string | undefined];
      if (name === '' ? isNumbered : /^\d/.test(name) && next > 0) throw new JinjaError('fields with and without numbers cannot be mixed'); // prettier-ignore
      if (/^\d/.test(name)) isNumbered = true;
      const value = name === '' ? positional[next++] : /^\d/.test(name) ? positional[Number(name)] : named.get(name);
      if (value === undefined) throw new JinjaError(`the field ${whole} of format() has no value`);
      return conversion === 'r' ? reprOf(value) : textOf(value);
    }),
  );
}
