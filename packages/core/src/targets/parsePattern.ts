import { classOf, joinSets, negate, oneOf, rangeOf, type CharacterSet } from './characterSet.ts';

/** A regular expression that cannot be used, with what is wrong. */
export class PatternError extends Error {}

/** A part of a regular expression. */
export type PatternNode =
  | { readonly kind: 'set'; readonly set: CharacterSet }
  | { readonly kind: 'sequence' | 'alternatives'; readonly parts: readonly PatternNode[] }
  | {
      readonly kind: 'repeat';
      readonly part: PatternNode;
      readonly least: number;
      readonly most: number;
      readonly isLazy: boolean;
    }
  | { readonly kind: 'group'; readonly part: PatternNode; readonly number: number }
  | { readonly kind: 'again'; readonly number: number }
  | { readonly kind: 'place'; readonly place: 'start' | 'end' | 'lineEnd' | 'boundary' | 'noBoundary' }
  | { readonly kind: 'look'; readonly part: PatternNode; readonly isBehind: boolean; readonly isNegative: boolean };

/** A regular expression that was read. */
export interface ParsedPattern {
  readonly node: PatternNode;
  /** How many groups it has, without the whole. */
  readonly groups: number;
}

/** The longest expression that is read. */
const MAX_LENGTH = 2 ** 16;
/** The deepest brackets in brackets. */
const MAX_DEPTH = 100;
const MAX_REPEAT = 1000;

/**
 * Reads a regular expression of Python's `re`. Inline flags, atomic groups, possessive quantifiers, conditions and comments are refused.
 *
 * @throws PatternError where it is none, or uses one of those
 */
export function parsePattern(source: string): ParsedPattern {
  if (source.length > MAX_LENGTH) throw new PatternError(`it is longer than ${MAX_LENGTH} characters`);
  const text = Array.from(source);
  const names = new Map<string, number>();
  const open = new Set<number>();
  let at = 0;
  let groups = 0;
  let depth = 0;
  const node = parseAlternatives();
  if (at < text.length) throw new PatternError('a bracket is closed that was not opened');
  return { node, groups };

  function take(wanted: string): boolean {
    if (text.slice(at, at + wanted.length).join('') !== wanted) return false;
    at += wanted.length;
    return true;
  }

  function parseAlternatives(): PatternNode {
    if (++depth > MAX_DEPTH) throw new PatternError(`it is nested deeper than ${MAX_DEPTH} brackets`);
    const parts = [parseSequence()];
    while (take('|')) parts.push(parseSequence());
    depth--;
    return parts.length === 1 ? parts[0]! : { kind: 'alternatives', parts };
  }

  function parseSequence(): PatternNode {
    const parts: PatternNode[] = [];
    while (at < text.length && text[at] !== '|' && text[at] !== ')') parts.push(repeat(parseAtom()));
    return parts.length === 1 ? parts[0]! : { kind: 'sequence', parts };
  }

  function repeat(part: PatternNode): PatternNode {
    const bounds = parseQuantifier();
    if (bounds === undefined) return part;
    if (part.kind === 'place') throw new PatternError('there is nothing to repeat');
    const isLazy = take('?');
    if (!isLazy && take('+')) throw new PatternError('possessive quantifiers are not supported');
    const [least, most] = bounds;
    if (most < least) throw new PatternError(`{${least},${most}} has its bounds the wrong way round`);
    if (least > MAX_REPEAT || (most > MAX_REPEAT && most !== Infinity)) throw new PatternError(`it repeats a part more than ${MAX_REPEAT} times`); // prettier-ignore
    if (parseQuantifier() !== undefined) throw new PatternError('one quantifier follows another');
    return { kind: 'repeat', part, least, most, isLazy };
  }

  function parseQuantifier(): readonly [number, number] | undefined {
    if (take('*')) return [0, Infinity];
    if (take('+')) return [1, Infinity];
    if (take('?')) return [0, 1];
    if (text[at] !== '{' || text[at + 1] === '}') return undefined;
    let end = at + 1;
    while (end < text.length && /[\d,]/.test(text[end]!)) end++;
    const inner = text.slice(at + 1, end).join('');
    const found = /^(\d*)(,?)(\d*)$/.exec(inner);
    if (text[end] !== '}' || found === null) return undefined;
    at = end + 1;
    const [, first, comma, second] = found as unknown as [string, string, string, string];
    const least = first === '' ? 0 : Number(first);
    return [least, comma === '' ? least : second === '' ? Infinity : Number(second)];
  }

  function parseAtom(): PatternNode {
    const character = text[at]!;
    if (character === '(') return parseBracket();
    if (character === '[') return { kind: 'set', set: characterClass() };
    if (character === '\\') return escape();
    if ('*+?'.includes(character)) throw new PatternError('there is nothing to repeat');
    if (character === '{' && parseQuantifier() !== undefined) throw new PatternError('there is nothing to repeat');
    at++;
    if (character === '.') return { kind: 'set', set: negate(oneOf('\n')) };
    if (character === '^') return { kind: 'place', place: 'start' };
    if (character === '$') return { kind: 'place', place: 'lineEnd' };
    return { kind: 'set', set: oneOf(character) };
  }

  function parseBracket(): PatternNode {
    at++;
    if (take('?:')) return close(parseAlternatives());
    for (const [mark, isBehind, isNegative] of LOOKS) {
      if (take(mark)) return { kind: 'look', part: close(parseAlternatives()), isBehind, isNegative };
    }
    if (take('?P=')) {
      const name = nameUntil(')');
      const number = names.get(name);
      if (number === undefined) throw new PatternError(`there is no group ${name.slice(0, 40)}`);
      return referTo(number);
    }
    const name = take('?P<') ? nameUntil('>') : undefined;
    if (text[at] === '?') throw new PatternError('it uses inline flags, atomic groups, conditions or comments');
    const number = ++groups;
    if (name !== undefined) {
      if (names.has(name)) throw new PatternError(`two groups are called ${name.slice(0, 40)}`);
      names.set(name, number);
    }
    open.add(number);
    const part = close(parseAlternatives());
    open.delete(number);
    return { kind: 'group', part, number };
  }

  function close(part: PatternNode): PatternNode {
    if (!take(')')) throw new PatternError('a bracket is not closed');
    return part;
  }

  function nameUntil(end: string): string {
    const start = at;
    while (at < text.length && text[at] !== end) at++;
    const name = text.slice(start, at).join('');
    if (!take(end) || !/^[A-Za-z_]\w*$/.test(name)) throw new PatternError('a group has no usable name');
    return name;
  }

  function referTo(number: number): PatternNode {
    if (number > groups || open.has(number)) throw new PatternError(`group ${number} is not there yet`);
    return { kind: 'again', number };
  }

  function escape(): PatternNode {
    const letter = text[at + 1];
    const places = { A: 'start', Z: 'end', b: 'boundary', B: 'noBoundary' } as const;
    if (letter !== undefined && Object.hasOwn(places, letter)) {
      at += 2;
      return { kind: 'place', place: places[letter as keyof typeof places] };
    }
    if (letter !== undefined && /[1-9]/.test(letter)) {
      const digits = /^\d{1,3}/.exec(text.slice(at + 1, at + 4).join(''))![0];
      if (digits.length < 3 || !/^[0-3][0-7]{2}/.test(digits)) {
        const number = digits.slice(0, 2);
        at += 1 + number.length;
        return referTo(Number(number));
      }
    }
    return { kind: 'set', set: escapedSet() };
  }

  /** What a backslash and a letter stand for, in a class and outside. */
  function escapedSet(): CharacterSet {
    const letter = text[++at];
    if (letter === undefined) throw new PatternError('a backslash stands at the end');
    const known = classOf(letter);
    if (known !== undefined) {
      at++;
      return known;
    }
    const rest = text.slice(at, at + 9).join('');
    const code = /^(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|(0[0-7]{0,2}|[0-3][0-7]{2}))/.exec(rest);
    if (code !== null) {
      at += code[0].length;
      const [, two, four, eight, octal] = code;
      const value = octal === undefined ? Number.parseInt((two ?? four ?? eight)!, 16) : Number.parseInt(octal, 8);
      if (value > 0x10ffff) throw new PatternError(`\\${code[0]} is not a character`);
      return rangeOf(value, value);
    }
    if (/[A-Za-z\d]/.test(letter) && !Object.hasOwn(CONTROLS, letter))
      throw new PatternError(`\\${letter} is not known`);
    at++;
    return oneOf(Object.hasOwn(CONTROLS, letter) ? CONTROLS[letter]! : letter);
  }

  function characterClass(): CharacterSet {
    at++;
    const isNegated = take('^');
    const sets: CharacterSet[] = [];
    for (let isFirst = true; isFirst || text[at] !== ']'; isFirst = false) {
      if (at >= text.length) throw new PatternError('a class ([…]) is not closed');
      const from = member();
      if (text[at] !== '-' || text[at + 1] === ']' || at + 1 >= text.length) {
        sets.push(from);
        continue;
      }
      at++;
      const to = member();
      const [least, most] = [from.single, to.single];
      if (least === undefined || most === undefined || most < least) throw new PatternError('a range of characters is not usable'); // prettier-ignore
      sets.push(rangeOf(least, most));
    }
    at++;
    const set = joinSets(sets);
    return isNegated ? negate(set) : set;
  }

  function member(): CharacterSet {
    if (text[at] !== '\\') return oneOf(text[at++]!);
    if (text[at + 1] !== 'b') return escapedSet();
    at += 2;
    return oneOf('\b');
  }
}

const LOOKS = [
  ['?=', false, false],
  ['?!', false, true],
  ['?<=', true, false],
  ['?<!', true, true],
] as const;

const CONTROLS: Readonly<Record<string, string>> = { a: '\x07', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };
