import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseStrictJson, type JsonValue } from './parseStrictJson.ts';

/** What JSON.parse would have given. */
function loosely(value: JsonValue): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [key, loosely(item)]));
  if (Array.isArray(value)) return value.map(loosely);
  return typeof value === 'bigint' ? Number(value) : value;
}

const parse = (text: string) => parseStrictJson(text, 'it');

describe('parseStrictJson', () => {
  it('reads what JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), fc.constantFrom(undefined, 2, '\t'), (json, indent) => {
        const text = JSON.stringify(JSON.parse(json), null, indent);
        fc.pre(!/\\ud[89a-f]/.test(text)); // JSON.stringify escapes the lone surrogates that we refuse
        expect(loosely(parse(text))).toEqual(JSON.parse(text));
      }),
      { numRuns: 500 },
    );
  });

  it('refuses whatever JSON.parse refuses', () => {
    const piece = fc.constantFrom(
      ...'{}[],:"\\-+.eE0 1 2 u00 /b tru true null nan \t\n\v'.match(/\S+|\s/g)!,
      '"a"',
      '\u00a0',
      '\ufeff',
    );
    const text = fc.array(piece, { maxLength: 12 }).map(pieces => pieces.join(''));
    let accepted = 0;
    fc.assert(
      fc.property(text, text => {
        let value: JsonValue;
        try {
          value = parse(text);
        } catch {
          return;
        }
        accepted++;
        expect(loosely(value)).toEqual(JSON.parse(text));
      }),
      { numRuns: 3000 },
    );
    expect(accepted).toBeGreaterThan(0);
  });

  it('tells integers from other spellings of the same number', () => {
    expect(parse('[2, -2, 2.0, 2e0, -0, 18446744073709551615]')).toEqual([2n, -2n, 2, 2, -0, 18446744073709551615n]);
    expect(parse('123456789012345678901234567890')).toBe(1.2345678901234568e29);
  });

  it('keeps names that mean something to objects', () => {
    expect([...(parse('{"__proto__":1,"10":2,"9":3}') as Map<string, JsonValue>)]).toEqual([
      ['__proto__', 1n],
      ['10', 2n],
      ['9', 3n],
    ]);
  });

  it('says where and what', () => {
    expect(() => parse('{"a":1,}')).toThrow(
      '[@dropbp/safetensors] it is not valid JSON at character 7; got "}"; expected a name in double quotes.',
    );
    expect(() => parse('["a')).toThrow('at character 3; got "the end of the text"; expected a string that ends');
    expect(() => parse('{"a":1,"\\u0061":2}')).toThrow('it names "a" twice, the second time at character 7');
  });

  it('takes no long time over a long number', () => {
    expect(() => parse('9'.repeat(1_000_000))).toThrow('a number that a double can hold');
  });
});
