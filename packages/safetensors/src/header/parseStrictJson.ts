import { problem } from '@dropbp/basics';
import { quote } from './quote.ts';

/**
 * A value of {@link parseStrictJson}. An integer literal of up to 20 characters is a bigint, every other number
 * (`2.0`, `2e0`, `-0`) is a number: what was written as an integer stays distinguishable, and exact.
 */
export type JsonValue = null | boolean | string | bigint | number | JsonValue[] | Map<string, JsonValue>;

/** How deep lists and objects may nest. Source: the reference implementation's JSON parser. */
const maxDepth = 127;

const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/**
 * Parses JSON as RFC 8259 has it, and stricter than `JSON.parse`: no name twice in one object, no escape that is
 * half of a surrogate pair, no number beyond what a double holds. Objects become Maps, so that no name is special.
 *
 * @param subject - whose text it is, for the message
 * @throws Problem with the place and what was expected there
 */
export function parseStrictJson(text: string, subject: string): JsonValue {
  const number = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
  const space = /[ \t\n\r]*/y;
  let at = 0;

  skipSpace();
  const root = value(0);
  skipSpace();
  if (at < text.length) throw fault('the end of the text');
  return root;

  function fault(expected: string, place = at): Error {
    return problem('safetensors', {
      what: `${subject} is not valid JSON at character ${place}`,
      got: place < text.length ? text.slice(place, place + 20) : 'the end of the text',
      expected,
    });
  }

  function skipSpace(): void {
    space.lastIndex = at;
    space.test(text);
    at = space.lastIndex;
  }

  function value(depth: number): JsonValue {
    switch (text[at] ?? '') {
      case '{':
        return object(depth + 1);
      case '[':
        return list(depth + 1);
      case '"':
        return string();
      case 't':
        return word('true', true);
      case 'f':
        return word('false', false);
      case 'n':
        return word('null', null);
      default:
        return numeral();
    }
  }

  function word<T>(spelling: string, meaning: T): T {
    if (!text.startsWith(spelling, at)) throw fault('a JSON value');
    at += spelling.length;
    return meaning;
  }

  function numeral(): bigint | number {
    number.lastIndex = at;
    const match = number.exec(text);
    if (match === null) throw fault('a JSON value');
    const literal = match[0];
    const isInteger = match[1] === undefined && match[2] === undefined && literal !== '-0';
    // Twenty characters hold every 64-bit integer; BigInt's time grows with the square of the length.
    const result = isInteger && literal.length <= 20 ? BigInt(literal) : Number(literal);
    if (result === Infinity || result === -Infinity) throw fault('a number that a double can hold');
    at += literal.length;
    return result;
  }

  function list(depth: number): JsonValue[] {
    const items: JsonValue[] = [];
    enter(depth);
    if (take(']')) return items;
    do {
      skipSpace();
      items.push(value(depth));
      skipSpace();
    } while (take(','));
    if (!take(']')) throw fault("',' or ']'");
    return items;
  }

  function object(depth: number): Map<string, JsonValue> {
    const members = new Map<string, JsonValue>();
    enter(depth);
    if (take('}')) return members;
    do {
      skipSpace();
      const place = at;
      if (text[at] !== '"') throw fault('a name in double quotes');
      const name = string();
      if (members.has(name)) {
        throw problem('safetensors', {
          what: `${subject} names ${quote(name)} twice, the second time at character ${place}`,
          expected: 'each name once in an object',
        });
      }
      skipSpace();
      if (!take(':')) throw fault("':'");
      skipSpace();
      members.set(name, value(depth));
      skipSpace();
    } while (take(','));
    if (!take('}')) throw fault("',' or '}'");
    return members;
  }

  function enter(depth: number): void {
    if (depth > maxDepth) throw fault(`at most ${maxDepth} levels of nesting`);
    at++;
    skipSpace();
  }

  function take(mark: string): boolean {
    if (text[at] !== mark) return false;
    at++;
    return true;
  }

  function string(): string {
    let result = '';
    let start = ++at;
    for (;;) {
      const code = text.charCodeAt(at);
      if (code === 0x22) {
        result += text.slice(start, at++);
        return result;
      }
      // NaN, past the end, fails the comparison too.
      if (!(code >= 0x20)) throw fault('a string that ends, with control characters escaped');
      if (code === 0x5c) {
        result += text.slice(start, at) + escape();
        start = at;
      } else at++;
    }
  }

  function escape(): string {
    const place = at;
    const letter = text[at + 1] ?? '';
    at += 2;
    if (letter !== 'u') {
      const meaning = escapes[letter];
      if (meaning === undefined) throw fault('an escape that JSON knows', place);
      return meaning;
    }
    const first = hex();
    if (first < 0xd800 || first > 0xdfff) return String.fromCharCode(first);
    const isPair = first < 0xdc00 && text.startsWith('\\u', at);
    at += isPair ? 2 : 0;
    const second = isPair ? hex() : 0;
    if (second < 0xdc00 || second > 0xdfff) throw fault('both halves of a surrogate pair', place);
    return String.fromCharCode(first, second);
  }

  function hex(): number {
    const digits = text.slice(at, at + 4);
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw fault('four hexadecimal digits');
    at += 4;
    return Number.parseInt(digits, 16);
  }
}
