import { expect, it } from 'vitest';
import { LruCache } from './lruCache.ts';

it('drops the entry that was used longest ago', () => {
  const removed: string[] = [];
  const cache = new LruCache<string>(2, value => removed.push(value));
  const get = (key: string): string => cache.get(key, () => key.toUpperCase());
  get('a');
  get('b');
  get('a');
  expect(get('c')).toBe('C');
  expect(removed).toEqual(['B']);
  expect(cache.size).toBe(2);
  cache.clear();
  expect(removed).toEqual(['B', 'A', 'C']);
  expect(cache.size).toBe(0);
});

it('makes an entry once', () => {
  const cache = new LruCache<object>(2, () => undefined);
  const made = cache.get('a', () => ({}));
  expect(cache.get('a', () => ({}))).toBe(made);
});
