import { expect, it } from 'vitest';
import { exactMatch, isJson, tokenF1 } from './answerMetrics.ts';

it('matches exactly, white space at the ends aside', () => {
  expect(exactMatch(' sport\n', { reference: 'sport' })).toBe(true);
  expect(exactMatch('Sport', { reference: 'sport' })).toBe(false);
  expect(exactMatch('a  b', { reference: 'a b' })).toBe(false);
  expect(() => exactMatch('a', {})).toThrow('exactMatch(): the row holds no answer to compare with');
});

it('counts common words as SQuAD does', () => {
  expect(tokenF1('The cat sat.', { reference: 'a cat sat' })).toBe(1);
  // Two of three given words, two of four wanted ones: 2 · 2/3 · 1/2 / (2/3 + 1/2).
  expect(tokenF1('red green blue', { reference: 'green red pink grey' })).toBeCloseTo(4 / 7, 12);
  expect(tokenF1('no no no', { reference: 'no' })).toBeCloseTo(0.5, 12);
  expect(tokenF1('x', { reference: 'y' })).toBe(0);
  expect([tokenF1('', { reference: 'y' }), tokenF1('the', { reference: '' })]).toEqual([0, 1]);
  expect(() => tokenF1('a', { answer: 'a' })).toThrow('the row holds no answer to compare with');
});

it('knows JSON', () => {
  expect(['{"a": 1}\n', ' [1, 2]', '3', '"x"'].map(isJson)).toEqual([true, true, true, true]);
  expect(['', '{a: 1}', '{"a": 1', '```json\n{}\n```', '{} {}'].map(isJson)).toEqual([
    false,
    false,
    false,
    false,
    false,
  ]);
});
