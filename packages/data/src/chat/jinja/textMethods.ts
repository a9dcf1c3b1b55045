import type { Budget } from './budget.ts';
import { formatBraces } from './values/formatText.ts';
import { isPythonSpace, JinjaError } from './parse/lexer.ts';
import { sliceOf } from './values/slice.ts';
import {
  charactersOf,
  intOf,
  kindOf,
  lengthOf,
  listOf,
  Tuple,
  Undefined,
  undefinedError,
  type Named,
  type Value,
} from './values/values.ts';

/** What a method of a text does: its arguments come in the order of `parameters`, and those left out are undefined. */
interface TextMethod {
  readonly parameters: readonly string[];
  /** How many of them must be given. */
  readonly needed: number;
  /** Whether they may be given by name. */
  readonly takesNames?: boolean;
  run(text: string, args: readonly (Value | undefined)[], budget: Budget): Value;
}

/** Calls a method of Python's `str`. @throws JinjaError for arguments that do not fit */
export function callTextMethod(
  name: string,
  text: string,
  positional: readonly Value[],
  named: Named,
  budget: Budget,
): Value {
  budget.spend(text.length);
  if (name === 'format') return formatBraces(text, positional, named, budget);
  const method = textMethods[name]!;
  const { parameters, needed, takesNames = false } = method;
  const args: (Value | undefined)[] = parameters.map((_, i) => positional[i]);
  for (const [key, value] of named) {
    const place = takesNames ? parameters.indexOf(key) : -1;
    if (place < 0 || place < positional.length) throw new JinjaError(`${name}() does not take the argument ${key}`);
    args[place] = value;
  }
  if (positional.length > parameters.length || args.slice(0, needed).includes(undefined)) {
    throw new JinjaError(`${name}() takes ${needed} to ${parameters.length} arguments`);
  }
  return method.run(text, args, budget);
}

/** Python's `replace`. */
export function replaceText(text: string, from: string, to: string, count: bigint, budget: Budget): string {
  if (count === 0n) return text;
  const limit = count < 0n ? Infinity : Number(count);
  if (from === '') {
    const characters = charactersOf(text);
    const times = Math.min(characters.length + 1, limit);
    budget.spend(text.length + times * to.length);
    return characters.map((character, i) => (i < times ? to + character : character)).join('') + (times > characters.length ? to : ''); // prettier-ignore
  }
  let parts = text.split(from);
  if (parts.length - 1 > limit) parts = [...parts.slice(0, limit), parts.slice(limit).join(from)];
  budget.spend(text.length + (parts.length - 1) * to.length);
  return parts.join(to);
}

/** Python's `strip` and its kin. */
export function stripText(text: string, characters: Value | undefined, left: boolean, right: boolean): string {
  if (characters !== undefined && characters !== null && typeof characters !== 'string') {
    throw new JinjaError(`strip() takes the characters as a text, not ${kindOf(characters)}`);
  }
  const all = charactersOf(text);
  const set = typeof characters === 'string' ? new Set(characters) : undefined;
  const isStripped = (character: string): boolean =>
    set === undefined ? isPythonSpace(character) : set.has(character);
  let [start, end] = [0, all.length];
  while (left && start < end && isStripped(all[start]!)) start++;
  while (right && end > start && isStripped(all[end - 1]!)) end--;
  return all.slice(start, end).join('');
}

/** A text with its first character in the case of a title. @throws JinjaError for letters that have one of their own */
export function capitalized(text: string): string {
  const first = charactersOf(text)[0] ?? '';
  return titleCase(first) + text.slice(first.length).toLowerCase();
}

function titleCase(character: string): string {
  const upper = character.toUpperCase();
  // Such as ß (Ss) and ǆ (ǅ): JavaScript knows no title case.
  if (charactersOf(upper).length > 1 || /[\u01c4-\u01cc\u01f1-\u01f3\u10d0-\u10ff\u1f80-\u1fff]/.test(character)) {
    throw new JinjaError(`the title case of '${character}' is not supported`);
  }
  return upper;
}

/** Python's `splitlines`. */
export function splitLines(text: string, keepsEnds = false): string[] {
  const lines: string[] = [];

  for (const [line, , end] of text.matchAll(
    /([^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]*)(\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]|$)/g,
  )) {
    if (line !== '') lines.push(keepsEnds ? line : line.slice(0, line.length - end!.length));
  }
  return lines;
}

/** Pads a text to a width on one side or both, as `ljust`, `rjust` and `center` do. */
export function padText(
  text: string,
  width: Value | undefined,
  fill: Value | undefined,
  side: 'left' | 'right' | 'both',
  budget: Budget,
): string {
  const wanted = intOf(width ?? null);
  const filling = fill ?? ' ';
  if (wanted === undefined) throw new JinjaError('a width is an int');
  if (typeof filling !== 'string' || lengthOf(filling) !== 1)
    throw new JinjaError('a text is filled with one character');
  const missing = Number(wanted) - lengthOf(text)!;
  if (missing <= 0) return text;
  budget.spend(missing);
  const left =
    side === 'both' ? Math.floor(missing / 2) + (missing & Number(wanted) & 1) : side === 'left' ? missing : 0;
  return filling.repeat(left) + text + filling.repeat(missing - left);
}

function needText(value: Value | undefined): string {
  if (typeof value === 'string') return value;
  if (value instanceof Undefined) throw undefinedError(value);
  throw new JinjaError(`a text is needed, not ${value === undefined ? 'nothing' : kindOf(value)}`);
}

function countOf(value: Value | undefined): bigint {
  const count = intOf(value ?? -1n);
  if (count === undefined) throw new JinjaError('an int is needed');
  return count;
}

function splitText(text: string, separator: Value | undefined, most: Value | undefined, fromEnd: boolean): Value {
  const limit = countOf(most) < 0n ? Infinity : Number(countOf(most));
  if (separator === undefined || separator === null) return splitAtSpace(text, limit, fromEnd);
  const mark = needText(separator);
  if (mark === '') throw new JinjaError('a text cannot be split at nothing');
  const parts = fromEnd ? splitFromEnd(text, mark, limit) : text.split(mark);
  if (fromEnd || parts.length - 1 <= limit) return parts;
  return [...parts.slice(0, limit), parts.slice(limit).join(mark)];
}

/** From the end, parts of overlapping marks differ: 'aaa' at 'aa' is 'a' and ''. */
function splitFromEnd(text: string, mark: string, limit: number): string[] {
  const parts: string[] = [];
  let end = text.length;
  while (parts.length < limit) {
    const at = end < mark.length ? -1 : text.lastIndexOf(mark, end - mark.length);
    if (at < 0) break;
    parts.push(text.slice(at + mark.length, end));
    end = at;
  }
  return [...parts, text.slice(0, end)].reverse();
}

function splitAtSpace(text: string, limit: number, fromEnd: boolean): string[] {
  const characters = charactersOf(text);
  const words: [number, number][] = [];
  for (let i = 0; i < characters.length; i++) {
    if (isPythonSpace(characters[i])) continue;
    const start = i;
    while (i < characters.length && !isPythonSpace(characters[i])) i++;
    words.push([start, i]);
  }
  const cut = ([start, end]: [number, number]): string => characters.slice(start, end).join('');
  if (words.length <= limit) return words.map(cut);
  if (fromEnd) {
    const rest = words.length - limit;
    return [cut([0, words[rest - 1]![1]]), ...words.slice(rest).map(cut)];
  }
  return [...words.slice(0, limit).map(cut), cut([words[limit]![0], characters.length])];
}

function startsOrEnds(
  text: string,
  args: readonly (Value | undefined)[],
  test: (text: string, part: string) => boolean,
): boolean {
  const [wanted, start, end] = args;
  const part =
    start === undefined && end === undefined ? text : (sliceOf(text, [start ?? null, end ?? null, null]) as string);
  if (start !== undefined && (intOf(start) ?? 0n) > BigInt(lengthOf(text)!)) return false;
  return wanted instanceof Tuple ? wanted.items.some(one => test(part, needText(one))) : test(part, needText(wanted));
}

function find(text: string, args: readonly (Value | undefined)[], fromEnd: boolean): bigint {
  const [wanted, start, end] = args;
  if (start !== undefined || end !== undefined) throw new JinjaError('find() within a part of a text is not supported');
  const at = fromEnd ? text.lastIndexOf(needText(wanted)) : text.indexOf(needText(wanted));
  return at < 0 ? -1n : BigInt(lengthOf(text.slice(0, at))!);
}

function found(at: bigint): bigint {
  if (at < 0n) throw new JinjaError('the part of a text was not found');
  return at;
}

const is = (expression: RegExp): TextMethod => ({ parameters: [], needed: 0, run: text => expression.test(text) });
const strip = (left: boolean, right: boolean): TextMethod => ({
  parameters: ['chars'],
  needed: 0,
  run: (text, [characters]) => stripText(text, characters, left, right),
});
const pad = (side: 'left' | 'right' | 'both'): TextMethod => ({
  parameters: ['width', 'fillchar'],
  needed: 1,
  run: (text, [width, fill], budget) => padText(text, width, fill, side, budget),
});
const split = (fromEnd: boolean): TextMethod => ({
  parameters: ['sep', 'maxsplit'],
  needed: 0,
  takesNames: true,
  run: (text, [separator, most]) => splitText(text, separator, most, fromEnd),
});
const partition = (fromEnd: boolean): TextMethod => ({
  parameters: ['sep'],
  needed: 1,
  run(text, [separator]) {
    const mark = needText(separator);
    if (mark === '') throw new JinjaError('a text cannot be split at nothing');
    const at = fromEnd ? text.lastIndexOf(mark) : text.indexOf(mark);
    if (at < 0) return new Tuple(fromEnd ? ['', '', text] : [text, '', '']);
    return new Tuple([text.slice(0, at), mark, text.slice(at + mark.length)]);
  },
});
const search = (fromEnd: boolean, must: boolean): TextMethod => ({
  parameters: ['sub', 'start', 'end'],
  needed: 1,
  run: (text, args) => (must ? found(find(text, args, fromEnd)) : find(text, args, fromEnd)),
});
const edge = (test: (text: string, part: string) => boolean): TextMethod => ({
  parameters: ['prefix', 'start', 'end'],
  needed: 1,
  run: (text, args) => startsOrEnds(text, args, test),
});
const whole = (run: (text: string) => Value): TextMethod => ({ parameters: [], needed: 0, run });

/** Methods of `str`; `format` beside them. */
export const textMethods: Readonly<Record<string, TextMethod>> = {
  capitalize: whole(capitalized),
  casefold: whole(text => {
    if (!/^[\x00-\x7f]*$/.test(text)) throw new JinjaError('casefold() is supported for ASCII alone');
    return text.toLowerCase();
  }),
  center: pad('both'),
  count: {
    parameters: ['sub'],
    needed: 1,
    run(text, [part]) {
      const wanted = needText(part);
      return wanted === '' ? BigInt(lengthOf(text)! + 1) : BigInt(text.split(wanted).length - 1);
    },
  },
  endswith: edge((text, part) => text.endsWith(part)),
  find: search(false, false),
  format: { parameters: [], needed: 0, run: text => text },
  index: search(false, true),
  isalnum: is(/^[\p{L}\p{Nd}]+$/u),
  isalpha: is(/^\p{L}+$/u),
  isascii: whole(text => /^\p{ASCII}*$/u.test(text)),
  isdecimal: is(/^\p{Nd}+$/u),
  isdigit: whole(text => {
    if (/\p{No}/u.test(text)) throw new JinjaError('isdigit() is not supported for such numerals');
    return /^\p{Nd}+$/u.test(text);
  }),
  islower: whole(text => /\p{Lowercase}/u.test(text) && !/[\p{Uppercase}\p{Lt}]/u.test(text)),
  isspace: whole(text => text !== '' && charactersOf(text).every(isPythonSpace)),
  isupper: whole(text => /\p{Uppercase}/u.test(text) && !/[\p{Lowercase}\p{Lt}]/u.test(text)),
  join: {
    parameters: ['iterable'],
    needed: 1,
    run: (text, [items], budget) => joinTexts(listOf(items!).map(needText), text, budget),
  },
  ljust: pad('right'),
  lower: whole(text => text.toLowerCase()),
  lstrip: strip(true, false),
  partition: partition(false),
  removeprefix: {
    parameters: ['prefix'],
    needed: 1,
    run: (text, [part]) => (text.startsWith(needText(part)) ? text.slice(needText(part).length) : text),
  },
  removesuffix: {
    parameters: ['suffix'],
    needed: 1,
    run: (text, [part]) => (text.endsWith(needText(part)) ? text.slice(0, text.length - needText(part).length) : text),
  },
  replace: {
    parameters: ['old', 'new', 'count'],
    needed: 2,
    run: (text, [from, to, count], budget) => replaceText(text, needText(from), needText(to), countOf(count), budget),
  },
  rfind: search(true, false),
  rindex: search(true, true),
  rjust: pad('left'),
  rpartition: partition(true),
  rsplit: split(true),
  rstrip: strip(false, true),
  split: split(false),
  splitlines: {
    parameters: ['keepends'],
    needed: 0,
    takesNames: true,
    run: (text, [keeps]) => splitLines(text, (intOf(keeps ?? false) ?? 0n) !== 0n),
  },
  startswith: edge((text, part) => text.startsWith(part)),
  strip: strip(true, true),
  swapcase: whole(text => charactersOf(text).map(c => (/\p{Uppercase}/u.test(c) ? c.toLowerCase() : c.toUpperCase())).join('')), // prettier-ignore
  title: whole(text => {
    let isInWord = false;
    return charactersOf(text).map(character => {
      const isCased = /[\p{Uppercase}\p{Lowercase}\p{Lt}]/u.test(character);
      const written = isInWord ? character.toLowerCase() : isCased ? titleCase(character) : character;
      isInWord = isCased;
      return written;
    }).join('');
  }), // prettier-ignore
  upper: whole(text => text.toUpperCase()),
  zfill: {
    parameters: ['width'],
    needed: 1,
    run(text, [width], budget) {
      const sign = /^[-+]/.test(text) ? text[0]! : '';
      const short = Number(intOf(width!) ?? 0n) - sign.length;
      return sign + padText(text.slice(sign.length), BigInt(Math.max(0, short)), '0', 'left', budget);
    },
  },
};

/** Texts with one between them. */
export function joinTexts(texts: readonly string[], between: string, budget: Budget): string {
  budget.spend(texts.reduce((sum, text) => sum + text.length, between.length * texts.length));
  return texts.join(between);
}

/** Names of methods that Python's `str` has and that are not supported. */
export const otherTextMethods: ReadonlySet<string> = new Set(['encode', 'expandtabs', 'format_map', 'isidentifier', 'isnumeric', 'isprintable', 'istitle', 'maketrans', 'translate']); // prettier-ignore
